"""The demo is made once, exactly, and goes on where an interrupted start stopped."""

import json
import stat
from pathlib import Path

import pytest
from django.contrib.auth import authenticate
from django.test import RequestFactory

from keeptrusts import demo
from keeptrusts.demo import create, prices, table
from wallets import allocations, keys
from wallets.models import ApiToken, Entry, GatewayKey, Limit, Organization, Wallet

pytestmark = pytest.mark.django_db
NANO = 10**9


def balances() -> dict[str, int]:
    """Dollars by team slug, user name, or `acme`."""
    wallets = Wallet.objects.select_related("team", "user")
    names = {w: (w.user and w.user.username) or (w.team and w.team.slug) or "acme" for w in wallets}
    return {str(name): wallet.balance // NANO for wallet, name in names.items()}


EXPECTED = {"acme": 8600, "engineering": 480, "support": 800, "marketing": 100, "member": 20}


def test_money_stands_where_the_demo_says(tmp_path: Path) -> None:
    demo.create_once(tmp_path)
    assert balances() == EXPECTED
    team = Wallet.objects.get(team__slug="engineering", scope="team")
    assert team.total_allocated == 500 * NANO


def test_marketing_alone_may_not_draw_on_the_organisation(tmp_path: Path) -> None:
    demo.create_once(tmp_path)
    draws = dict(Wallet.objects.filter(scope="team").values_list("team__slug", "draws_on_parent"))
    assert draws == {"engineering": True, "support": True, "marketing": False}


def test_the_member_has_a_daily_limit_of_5(tmp_path: Path) -> None:
    demo.create_once(tmp_path)
    limit = Limit.objects.get()
    assert limit.user is not None
    assert (limit.user.username, limit.period, limit.amount) == ("member", "day", 5 * NANO)


def test_the_secrets_are_those_of_the_rows(tmp_path: Path) -> None:
    made = demo.create_once(tmp_path)
    assert made is not None
    file = tmp_path / "demo.json"
    document = json.loads(file.read_text())
    assert document == made.document()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(document) == ["api_token", "admin", "users", "consumer_groups"]
    token = ApiToken.objects.get(digest=keys.digest(document["api_token"]))
    assert (token.organization.slug, token.role) == ("acme", "admin")
    for slug in ("engineering", "support", "marketing"):
        key = GatewayKey.objects.get(digest=keys.digest(document["consumer_groups"][slug]))
        assert key.team.slug == slug
    for name in ("lead", "member"):
        key = GatewayKey.objects.get(digest=keys.digest(document["users"][name]["key"]))
        assert key.user is not None
        assert key.user.username == name


@pytest.mark.parametrize("name", ["lead", "member"])
def test_leads_and_members_have_a_token_of_their_own(tmp_path: Path, name: str) -> None:
    demo.create_once(tmp_path)
    document = json.loads((tmp_path / "demo.json").read_text())
    token = keys.authenticate(document["users"][name]["token"])
    assert token is not None
    assert token.user is not None
    assert (token.user.username, token.role) == (name, "member")


def test_the_table_shows_tokens_whole_and_the_command_to_type(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = demo.create_once(tmp_path)
    assert made is not None
    table.show(made, console_url="http://c", gateway_url="http://g", model="m", kt="/opt/kt")
    shown = capsys.readouterr().out
    assert made.users["lead"].token is not None
    assert made.users["lead"].token in shown
    assert "Console pages for leads and members come later" in shown
    assert "\n/opt/kt spend --team engineering\n" in shown


def test_its_people_can_sign_in(tmp_path: Path) -> None:
    demo.create_once(tmp_path)
    document = json.loads((tmp_path / "demo.json").read_text())
    people = {name: user["password"] for name, user in document["users"].items()}
    people[document["admin"]["username"]] = document["admin"]["password"]
    assert set(people) == {"admin", "billing", "lead", "member"}
    request = RequestFactory().post("/")
    for name, password in people.items():
        assert authenticate(request, username=name, password=password) is not None


def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    demo.create_once(tmp_path)
    before = (tmp_path / "demo.json").read_text(), Entry.objects.count()
    assert demo.create_once(tmp_path) is None
    assert ((tmp_path / "demo.json").read_text(), Entry.objects.count()) == before


def test_a_wallet_that_was_emptied_stays_empty(tmp_path: Path) -> None:
    demo.create_once(tmp_path)
    organization = Organization.objects.get(slug="acme")
    wallet = Wallet.objects.get(team__slug="support", scope="team")
    allocations.reclaim(organization=organization, wallet=wallet, amount=None, actor="test")
    demo.create_once(tmp_path)
    assert balances()["support"] == 0


def test_an_interrupted_start_goes_on_with_the_money(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as interrupted:
        interrupted.setattr(create, "_allocate", killed)
        with pytest.raises(KeyboardInterrupt):
            demo.create_once(tmp_path)
    assert balances()["acme"] == 10_000
    demo.create_once(tmp_path)
    assert balances() == EXPECTED


def test_secrets_of_a_start_that_ended_right_after_the_commit_are_found(tmp_path: Path) -> None:
    demo.create_once(tmp_path)
    text = (tmp_path / "demo.json").read_text()
    (tmp_path / "demo.json").rename(tmp_path / ".demo.json.new")
    demo.create_once(tmp_path)
    assert (tmp_path / "demo.json").read_text() == text


def test_an_acme_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    Organization.objects.create(slug="acme", name="Real Acme")
    assert demo.create_once(tmp_path) is None
    assert list(tmp_path.iterdir()) == []
    assert Wallet.objects.count() == 0


def test_the_local_model_is_priced_once() -> None:
    from gateway.models.price import ModelPrice

    prices.price_local_model()
    prices.price_local_model()
    price = ModelPrice.objects.get(provider="local")
    assert (price.model, price.input, price.output) == ("smollm2-135m", 100 * 10**6, 400 * 10**6)
