"""A form that was opened once is confirmed once, and its preview promises only what can be."""

import pytest
from django.db.models import Model
from django.test import Client

from gateway.models import ModelPrice
from keeptrusts.lib import money
from tests import factories
from tests.wallets.admin.confirming import confirm, page
from tests.wallets.admin.conftest import SignIn
from tests.wallets.admin.test_pages import address
from tests.wallets.conftest import Company
from wallets.admin.operation import Call
from wallets.models import ApiToken, AuditRecord, GatewayKey, Revision, Stop, Wallet

DONE = 409


def test_reloading_the_page_of_a_key_makes_no_second_one(acme: Company, sign_in: SignIn) -> None:
    client, url = sign_in(acme.admin), page(factories.make_consumer_group(acme.team), "issue-key")
    nonce = client.get(url).context["nonce"]
    values = {"name": "ci", "nonce": nonce, "confirmed": "Confirm"}
    assert "kt_cg_" in client.post(url, values).content.decode()
    again = client.post(url, values)
    assert again.status_code == DONE
    assert "made already; the secret is shown once" in again.content.decode()
    assert GatewayKey.objects.count() == 1


def test_reloading_the_page_of_a_token_makes_no_second_one(acme: Company, sign_in: SignIn) -> None:
    client, url = sign_in(acme.admin), page(acme.organization, "own-token")
    values = {"role": "admin", "nonce": "abc", "confirmed": "Confirm"}
    assert [client.post(url, values).status_code for _ in range(2)] == [200, DONE]
    assert ApiToken.objects.count() == 1


def test_two_at_the_same_time_make_one_key(
    acme: Company, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Call, "done", lambda call, slug: False)  # Neither sees the other yet.
    client, url = sign_in(acme.admin), page(factories.make_consumer_group(acme.team), "issue-key")
    values = {"nonce": "abc", "confirmed": "Confirm"}
    assert [client.post(url, values).status_code for _ in range(2)] == [200, DONE]
    assert GatewayKey.objects.count() == 1


def test_going_back_to_the_form_and_confirming_again_pays_once(
    acme: Company, sign_in: SignIn
) -> None:
    client, wallet = sign_in(acme.billing), factories.team_wallet(acme.team)
    url = page(wallet, "allocate")
    nonce = client.get(url).context["nonce"]
    values = {"source": wallet.parent_id, "amount": "1", "nonce": nonce}
    client.post(url, {**values, "confirmed": "Confirm"})
    for changed in ({}, {"confirmed": "Confirm"}, {"amount": "2", "confirmed": "Confirm"}):
        answer = client.post(url, {**values, **changed})
        assert answer.status_code == DONE
        assert address(Wallet, "change", wallet.pk) in answer.content.decode()
    assert factories.team_wallet(acme.team).balance == 11 * money.NANO


def test_the_browser_may_keep_the_form_for_back(acme: Company, sign_in: SignIn) -> None:
    answer = sign_in(acme.billing).get(page(factories.team_wallet(acme.team), "reclaim"))
    assert answer.headers["Cache-Control"] == "private, no-cache"


def test_a_refused_confirm_leaves_the_form_open(acme: Company, sign_in: SignIn) -> None:
    client, url = sign_in(acme.admin), page(acme.organization, "stop")
    values = {"scope": "team", "target": "team_none", "nonce": "abc", "confirmed": "Confirm"}
    assert client.post(url, values).status_code == 200
    client.post(url, {**values, "target": acme.team.public_id})
    assert Stop.objects.get().target == acme.team.public_id


def test_confirming_without_having_opened_the_form_shows_the_preview(
    acme: Company, sign_in: SignIn
) -> None:
    client, wallet = sign_in(acme.billing), factories.team_wallet(acme.team)
    values = {"source": wallet.parent_id, "amount": "1", "confirmed": "Confirm"}
    assert client.post(page(wallet, "allocate"), values).context["lines"]
    assert factories.team_wallet(acme.team).balance == 10 * money.NANO


def test_back_keeps_what_was_typed(acme: Company, sign_in: SignIn) -> None:
    client, wallet = sign_in(acme.billing), factories.team_wallet(acme.team)
    values = {"source": wallet.parent_id, "amount": "1.25", "notes": "May"}
    answer = client.post(page(wallet, "allocate"), {**values, "nonce": "abc", "back": "Back"})
    html = answer.content.decode()
    assert 'value="1.25"' in html
    assert 'value="May"' in html
    assert 'value="abc"' in html
    assert "Confirm" not in html


def refused(client: Client, row: Model | type[Model], slug: str, **values: object) -> str:
    """The text of the form that a preview sends back."""
    answer = client.post(page(row, slug), {**values, "nonce": "abc"})
    assert "lines" not in answer.context
    return " ".join(
        f"{name}: {text}" for name, texts in answer.context["form"].errors.items() for text in texts
    )


def test_more_than_there_is_is_not_reclaimed(acme: Company, sign_in: SignIn) -> None:
    client, wallet = sign_in(acme.billing), factories.team_wallet(acme.team)
    assert refused(client, wallet, "reclaim", amount="10.01") == (
        "amount: The wallet Engineering has $10.00 available, not more."
    )


def test_more_than_was_charged_is_not_given_back(acme: Company, sign_in: SignIn) -> None:
    charge = factories.settle(factories.hold(factories.team_wallet(acme.team), 2), 2)
    told = refused(sign_in(acme.billing), charge, "adjust", amount="3", notes="x")
    assert told == "amount: The charge stands at $2.00: at most that can be given back."
    told = refused(sign_in(acme.billing), charge, "adjust", amount="-8.01", notes="x")
    assert told == "amount: The wallet Engineering has $8.00 available, not more."


@pytest.mark.parametrize("amount", ["+1", "0", "x", "--1", "10000001"])
def test_the_error_of_an_adjustment_knows_the_minus_sign(
    acme: Company, sign_in: SignIn, amount: str
) -> None:
    charge = factories.settle(factories.hold(factories.team_wallet(acme.team), 2), 2)
    told = refused(sign_in(acme.billing), charge, "adjust", amount=amount, notes="x")
    assert "or -12.50 with a minus sign" in told


def test_an_unknown_team_is_not_stopped(acme: Company, sign_in: SignIn) -> None:
    told = refused(sign_in(acme.admin), acme.organization, "stop", scope="team", target="team_none")
    assert told == "__all__: There is no team team_none."


@pytest.mark.parametrize("price", ["abc", "-1"])
def test_a_price_that_is_none_is_refused_at_its_field(
    root: Client, acme: Company, price: str
) -> None:
    values = {"provider": "openai", "model": "m", "output_cost_per_1k_tokens": "1"}
    told = refused(root, ModelPrice, "set-price", **values, input_cost_per_1k_tokens=price)
    assert told.startswith("input_cost_per_1k_tokens: must be a number from 0 to 1000")


def test_a_preview_leaves_no_trace(acme: Company, sign_in: SignIn) -> None:
    client = sign_in(acme.admin)
    before = Revision.objects.values_list("number").first()
    answer = client.post(page(acme.team, "rename"), {"name": "Research", "nonce": "abc"})
    assert answer.context["subtitle"] == "Engineering"
    assert not AuditRecord.objects.exists()
    assert Revision.objects.values_list("number").first() == before


def test_freezing_is_previewed_in_words(acme: Company, sign_in: SignIn) -> None:
    client, wallet = sign_in(acme.billing), factories.team_wallet(acme.team)
    ((_, lines),) = client.post(page(wallet, "freeze"), {"reason": ""}).context["lines"]
    assert [(line.label, line.before, line.after) for line in lines] == [("Frozen", "no", "yes")]


def test_the_page_of_a_secret_leads_back(acme: Company, sign_in: SignIn) -> None:
    group = factories.make_consumer_group(acme.team)
    answer = confirm(sign_in(acme.admin), page(group, "issue-key"))
    assert answer.context["back"] == address(type(group), "change", group.pk)
