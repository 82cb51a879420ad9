"""Who gets in, and how a refusal looks."""

from datetime import timedelta

from django.test import Client as DjangoClient
from django.utils import timezone

from tests import factories
from tests.api.client import Caller, as_json
from tests.api.conftest import World
from wallets.models import Entry, User


def test_a_call_without_a_token_is_401_and_says_what_to_send(world: World) -> None:
    answer = world.callers["nobody"].get("wallets")
    assert answer.status == 401
    assert answer.error["type"] == "authentication_error"
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="keeptrusts"'


def test_an_unknown_token_is_401(world: World) -> None:
    answer = Caller("kt_live_" + "0" * 48).get("wallets")
    assert (answer.status, answer.error["code"]) == (401, "authentication_failed")


def test_another_scheme_is_401(world: World) -> None:
    answer = world.callers["nobody"].call("GET", "wallets", Authorization="Basic YTpi")
    assert answer.status == 401


def test_a_revoked_token_is_401(world: World) -> None:
    token = factories.make_token(world.acme, revoked_at=timezone.now())
    assert Caller(token.secret).get("wallets").status == 401


def test_an_expired_token_is_401(world: World) -> None:
    token = factories.make_token(world.acme, expires_at=timezone.now() - timedelta(seconds=1))
    assert Caller(token.secret).get("wallets").status == 401


def test_a_token_narrowed_by_scope_does_only_that(world: World) -> None:
    token = factories.make_token(world.acme, scopes=["wallets.read"])
    narrow = Caller(token.secret)
    assert narrow.get("wallets").status == 200
    assert narrow.get("audit-log").status == 403


def test_a_service_account_may_what_its_role_allows(world: World) -> None:
    account = factories.make_service_account(world.acme, role="billing_admin")
    token = factories.make_token(world.acme, service_account=account, role="billing_admin")
    answer = Caller(token.secret).post(
        "wallets/allocate", {"team_id": "team_marketing", "amount": 5}
    )
    assert answer.body["transactions"][0]["actor"] == token.token.public_id


def test_a_platform_token_must_say_which_organization(world: World) -> None:
    answer = world.callers["platform"].get("wallets")
    assert (answer.status, answer.error["details"]["field"]) == (422, "organization_id")


def test_a_platform_token_acts_where_it_says(world: World) -> None:
    answer = world.callers["platform"].get("wallets", organization_id=world.beta.public_id)
    assert [row["balance"] for row in answer.body["results"]] == [500, 50]


def test_a_foreign_organization_is_404(world: World, admin: Caller) -> None:
    answer = admin.get("wallets", organization_id=world.beta.public_id)
    assert answer.status == 404


def test_a_session_reads_without_and_changes_only_with_a_csrf_token(world: World) -> None:
    browser = DjangoClient(enforce_csrf_checks=True, raise_request_exception=False)
    browser.force_login(User.objects.get(username="billing_admin"))
    assert browser.get("/v1/wallets").status_code == 200
    body = as_json({"team_id": "team_marketing", "amount": 5})
    before = Entry.objects.count()
    refused = browser.post("/api/wallets/allocate", body, content_type="application/json")
    assert refused.status_code == 403
    assert set(refused.json()["error"]) == {"type", "code", "message", "details"}
    assert Entry.objects.count() == before
    browser.cookies["csrftoken"] = "a" * 32
    done = browser.post(
        "/api/wallets/allocate",
        body,
        content_type="application/json",
        headers={"X-CSRFToken": "a" * 32},
    )
    assert done.status_code == 200
    assert factories.team_wallet(world.marketing).balance == factories.nano(5)


def test_same_origin_routes_take_no_bearer_token(world: World, admin: Caller) -> None:
    answer = admin.post("/api/wallets/reclaim", {"team_id": "team_engineering", "amount": "all"})
    assert answer.status in (401, 403)
    assert world.wallet(world.engineering).balance == factories.nano(200)
