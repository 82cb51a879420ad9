"""/v1/consumer-groups, /v1/keys, /v1/tokens and /v1/service-accounts."""

import hashlib

import pytest

from tests import factories
from tests.api.client import Caller
from tests.api.conftest import World
from wallets.models import ApiToken, ConsumerGroup, GatewayKey


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def test_the_secret_of_a_group_key_is_shown_once(world: World, admin: Caller) -> None:
    body = {"consumer_group_id": world.group.public_id, "allowed_models": ["gpt-4o-mini"]}
    answer = admin.post("keys", {**body, "name": "ci", "default_tags": {"project": "x"}})
    secret = answer.body["secret"]
    assert (answer.status, secret[:6]) == (201, "kt_cg_")
    assert GatewayKey.objects.get().digest == _digest(secret)
    shown = admin.get(f"keys/{answer.body['id']}")
    assert secret not in shown.text
    assert shown.body["allowed_models"] == ["gpt-4o-mini"]
    assert shown.body["default_tags"] == {"project": "x"}


def test_a_member_makes_their_own_key(world: World) -> None:
    answer = world.callers["member"].post("keys", {"team_id": "team_engineering"})
    assert (answer.status, answer.body["secret"][:8]) == (201, "kt_user_")
    assert answer.body["user_id"] == world.member.public_id


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"team_id": "team_engineering", "consumer_group_id": "grp_1"},
        {"team_id": "team_engineering", "allowed_models": [""]},
        {"team_id": "team_engineering", "allowed_models": "gpt-4o"},
        {"team_id": "team_engineering", "default_tags": {"a": {}}},
        {"team_id": "team_engineering", "expires_at": "2001-01-01T00:00:00Z"},
    ],
)
def test_bad_input_makes_no_key(world: World, body: dict[str, object]) -> None:
    assert world.callers["member"].post("keys", body).status == 422
    assert not GatewayKey.objects.exists()


def test_rotation_leaves_the_old_key_for_the_overlap(world: World, admin: Caller) -> None:
    key = factories.make_group_key(world.group).key
    answer = admin.post(f"keys/{key.public_id}/rotate", {"overlap_hours": 1})
    assert (answer.status, answer.body["secret"][:6]) == (201, "kt_cg_")
    old = GatewayKey.objects.get(pk=key.pk)
    assert old.replaced_by.public_id == answer.body["id"]
    assert old.expires_at is not None
    again = admin.post(f"keys/{key.public_id}/rotate", {})
    assert (again.status, again.error["code"]) == (409, "rotated")


@pytest.mark.parametrize("hours", [-1, 721, "x", 1.5])
def test_an_absurd_overlap_is_named(world: World, admin: Caller, hours: object) -> None:
    key = factories.make_group_key(world.group).key
    answer = admin.post(f"keys/{key.public_id}/rotate", {"overlap_hours": hours})
    assert (answer.status, answer.error["details"]["field"]) == (422, "overlap_hours")


def test_a_revoked_key_stays_in_the_list(world: World, admin: Caller) -> None:
    key = factories.make_group_key(world.group).key
    assert admin.delete(f"keys/{key.public_id}").status == 204
    assert admin.get("keys", active="true").body["results"] == []
    assert admin.get("keys", active="false").body["results"][0]["revoked_at"]


def test_a_group_is_renamed_and_ended(world: World, admin: Caller) -> None:
    path = f"consumer-groups/{world.group.public_id}"
    assert admin.patch(path, {"name": "backend"}).body["name"] == "backend"
    factories.make_group_key(world.group)
    assert admin.delete(path).status == 204
    assert ConsumerGroup.objects.get().archived_at is not None
    assert GatewayKey.objects.get().revoked_at is not None
    assert admin.get("consumer-groups", archived="false").body["results"] == []


def test_group_names_are_unique(world: World, admin: Caller) -> None:
    body = {"name": "engineering", "team_id": "team_marketing"}
    assert admin.post("consumer-groups", body).error["code"] == "name_taken"


def test_a_new_token_works_at_once_and_not_after_it_is_revoked(world: World, admin: Caller) -> None:
    answer = admin.post("tokens", {"role": "admin", "name": "ci", "scopes": ["wallets.read"]})
    token = Caller(answer.body["secret"])
    assert token.get("wallets").status == 200
    assert admin.delete(f"tokens/{answer.body['id']}").status == 204
    assert token.get("wallets").status == 401


def test_nobody_grants_rights_they_do_not_have(world: World) -> None:
    before = ApiToken.objects.count()
    for body in ({"role": "admin"}, {"role": "member", "scopes": ["platform"]}):
        answer = world.callers["member"].post("tokens", body)
        assert (answer.status, answer.error["code"]) == (403, "rights_exceeded")
    assert ApiToken.objects.count() == before


def test_a_scope_that_names_nothing_is_refused(admin: Caller) -> None:
    answer = admin.post("tokens", {"role": "member", "scopes": ["everything"]})
    assert (answer.status, answer.error["details"]["field"]) == (422, "scopes")


def test_a_rotated_token_has_the_same_rights(world: World, admin: Caller) -> None:
    made = admin.post("tokens", {"role": "auditor"}).body
    new = admin.post(f"tokens/{made['id']}/rotate", {"overlap_hours": 0}).body
    assert new["role"] == "auditor"
    assert Caller(new["secret"]).get("audit-log").status == 200
    assert Caller(made["secret"]).get("audit-log").status == 401


def test_a_service_account_and_its_token(world: World, admin: Caller) -> None:
    account = admin.post("service-accounts", {"name": "ci", "role": "auditor"}).body["id"]
    body = {"role": "auditor", "service_account_id": account}
    token = Caller(admin.post("tokens", body).body["secret"])
    assert token.get("wallets").status == 200
    assert admin.delete(f"service-accounts/{account}").status == 204
    assert token.get("wallets").status == 401
