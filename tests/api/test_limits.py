"""/v1/limits."""

from typing import Any

import pytest

from tests import factories
from tests.api.client import Caller
from tests.api.conftest import World
from tests.factories import nano
from wallets.models import Limit, Revision


def test_a_limit_is_set_then_changed(world: World, admin: Caller) -> None:
    body = {"team_id": "team_engineering", "period": "day", "amount": "12.5"}
    first = admin.post("limits", body)
    again = admin.post("limits", {**body, "amount": 0})
    assert (first.status, str(first.body["amount"]), again.body["amount"]) == (200, "12.5", 0)
    assert first.body["id"] == again.body["id"]
    assert Limit.objects.get().amount == 0


@pytest.mark.parametrize("scope", ["organization", "team", "user", "key", "consumer_group"])
def test_every_scope_is_shown_as_it_was_named(world: World, admin: Caller, scope: str) -> None:
    key = factories.make_group_key(world.group).key
    names: dict[str, dict[str, str]] = {
        "organization": {},
        "team": {"team_id": "team_engineering"},
        "user": {"team_id": "team_engineering", "user_id": world.member.public_id},
        "key": {"key_id": key.public_id},
        "consumer_group": {"consumer_group_id": world.group.public_id},
    }
    body = admin.post("limits", {"period": "month", "amount": 5, **names[scope]}).body
    assert body["scope"] == scope
    shown = {name: body[name] for name in ("team_id", "user_id", "key_id", "consumer_group_id")}
    assert {name: value for name, value in shown.items() if value} == names[scope]
    assert Limit.objects.get().amount == nano(5)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"period": "year"}, 422),
        ({"amount": -1}, 422),
        ({"amount": None}, 422),
        ({"currency": "EUR"}, 422),
        ({"user_id": "user_nobody"}, 404),
        ({"team_id": "team_research"}, 404),
        ({"key_id": "key_nothing"}, 422),
    ],
)
def test_bad_input_sets_nothing(
    world: World, admin: Caller, changes: dict[str, Any], status: int
) -> None:
    body = {"team_id": "team_engineering", "period": "day", "amount": 1, **changes}
    assert admin.post("limits", body).status == status
    assert not Limit.objects.exists()


def test_a_person_is_limited_in_a_team(world: World, admin: Caller) -> None:
    body = {"user_id": world.member.public_id, "period": "day", "amount": 1}
    assert admin.post("limits", body).error["details"]["field"] == "team_id"


def test_a_limit_is_taken_away(world: World, admin: Caller) -> None:
    limit = admin.post("limits", {"period": "day", "amount": 5}).body["id"]
    before = Revision.objects.get().number
    assert admin.delete(f"limits/{limit}").status == 204
    assert not Limit.objects.exists()
    assert Revision.objects.get().number > before
    assert admin.delete(f"limits/{limit}").status == 404


def test_everybody_sees_the_limits_on_them(world: World, admin: Caller) -> None:
    factories.make_personal_key(world.engineering, world.member)
    for names in ({}, {"team_id": "team_engineering"}, {"team_id": "team_marketing"},
                  {"team_id": "team_engineering", "user_id": world.member.public_id},
                  {"consumer_group_id": world.group.public_id}):  # fmt: skip
        assert admin.post("limits", {"period": "day", "amount": 5, **names}).status == 200
    scopes = {
        role: [row["scope"] for row in world.callers[role].get("limits").body["results"]]
        for role in ("admin", "lead", "member", "stranger")
    }
    assert scopes == {
        "admin": ["organization", "team", "team", "user", "consumer_group"],
        "lead": ["team", "user", "consumer_group"],
        "member": ["user"],
        "stranger": [],
    }
