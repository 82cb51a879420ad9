"""Keys, tokens, stops and limits in the admin; a secret is shown once."""

from keeptrusts.lib import money
from tests import factories
from tests.wallets.admin.confirming import confirm, page, secret_of, shown
from tests.wallets.admin.conftest import SignIn
from tests.wallets.admin.test_pages import address
from tests.wallets.conftest import Company
from wallets import keys
from wallets.models import (
    ApiToken,
    GatewayKey,
    Limit,
    ServiceAccount,
    Stop,
    TeamMembership,
)


def test_a_group_key_is_shown_once(acme: Company, sign_in: SignIn) -> None:
    group = factories.make_consumer_group(acme.team)
    client = sign_in(acme.admin)
    answer = confirm(client, page(group, "issue-key"), name="ci", allowed_models="a, b")
    secret = secret_of(answer, "kt_cg_")
    key = GatewayKey.objects.get(digest=keys.digest(secret))
    assert (key.consumer_group, key.allowed_models) == (group, ["a", "b"])
    for url in (address(GatewayKey, "changelist"), address(GatewayKey, "change", key.pk)):
        html = client.get(url).content.decode()
        assert secret not in html
        assert key.digest not in html


def test_a_token_of_a_service_account_is_made_rotated_and_revoked(
    acme: Company, sign_in: SignIn
) -> None:
    client = sign_in(acme.admin)
    account = factories.make_service_account(acme.organization, role="auditor")
    first = secret_of(
        confirm(client, page(account, "issue-token"), role="auditor", scopes="*.read"), "kt_live_"
    )
    token = keys.authenticate(first)
    assert token is not None
    assert token.scopes == ["*.read"]
    second = secret_of(confirm(client, page(token, "rotate"), hours="0"), "kt_live_")
    assert keys.authenticate(first) is None
    successor = keys.authenticate(second)
    assert successor is not None
    confirm(client, page(successor, "revoke"))
    assert keys.authenticate(second) is None


def test_an_admin_makes_a_token_for_themself(acme: Company, sign_in: SignIn) -> None:
    answer = confirm(
        sign_in(acme.admin), page(acme.organization, "own-token"), role="billing_admin"
    )
    token = keys.authenticate(secret_of(answer, "kt_live_"))
    assert token is not None
    assert (token.user, token.role) == (acme.admin, "billing_admin")


def test_a_role_beyond_the_own_is_refused(acme: Company, sign_in: SignIn) -> None:
    answer = sign_in(acme.billing).get(page(acme.organization, "own-token"))
    assert answer.status_code == 200
    answer = sign_in(acme.billing).post(page(acme.organization, "own-token"), {"role": "admin"})
    assert "lines" not in answer.context
    assert answer.context["form"].errors
    assert not ApiToken.objects.exists()


def test_a_limit_is_set_and_removed(acme: Company, sign_in: SignIn) -> None:
    client = sign_in(acme.admin)
    confirm(client, page(acme.team, "limit"), period="day", amount="5")
    limit = Limit.objects.get(team=acme.team)
    assert limit.amount == 5 * money.NANO
    lines = shown(client, page(acme.team, "limit"), period="day", amount="0")
    assert lines == [("Daily", "$5.00", "$0.00")]
    confirm(client, page(limit, "remove"))
    assert not Limit.objects.exists()


def test_something_is_stopped_and_resumed(acme: Company, sign_in: SignIn) -> None:
    client = sign_in(acme.admin)
    confirm(client, page(acme.organization, "stop"), scope="model", target="gpt-4o")
    stop = Stop.objects.get()
    assert stop.lifted_at is None
    confirm(client, page(stop, "resume"))
    assert Stop.objects.get().lifted_at is not None


def test_an_admin_in_a_team_makes_a_personal_key(acme: Company, sign_in: SignIn) -> None:
    client = sign_in(acme.admin)
    assert client.get(page(acme.team, "own-key")).status_code == 302
    TeamMembership.objects.create(organization=acme.organization, team=acme.team, user=acme.admin)
    secret = secret_of(confirm(client, page(acme.team, "own-key")), "kt_user_")
    assert GatewayKey.objects.get(digest=keys.digest(secret)).user == acme.admin


def test_a_service_account_is_made(acme: Company, sign_in: SignIn) -> None:
    confirm(
        sign_in(acme.admin), page(acme.organization, "create-account"), name="ci", role="member"
    )
    assert ServiceAccount.objects.get().name == "ci"


def test_of_several_rows_the_refused_one_is_named(acme: Company, sign_in: SignIn) -> None:
    client = sign_in(acme.admin)
    stops = [
        Stop.objects.create(
            organization=acme.organization, scope=scope, target=target, created_by="system"
        )
        for scope, target in (("model", "gpt-4o"), ("key", "key_gone"))
    ]
    confirm(client, page(stops[0], "resume", stops[1]))
    told = [str(message) for message in client.get("/admin/").context["messages"]]
    assert "Resumed model gpt-4o." in told
    assert [text for text in told if text.startswith("key key_gone: ")]
    assert Stop.objects.filter(lifted_at=None).get() == stops[1]


def test_an_account_is_disabled(acme: Company, sign_in: SignIn) -> None:
    account = factories.make_service_account(acme.organization)
    confirm(sign_in(acme.admin), page(account, "disable"))
    assert ServiceAccount.objects.get().disabled_at is not None
