"""GET /v1/wallets and /v1/wallets/{id}; PATCH of settings."""

import pytest

from tests import factories
from tests.api.client import Caller
from tests.api.conftest import World
from tests.factories import nano
from wallets.models import AuditRecord, Wallet

pytestmark = pytest.mark.engines


def test_a_wallet_is_shown_with_all_its_numbers(world: World, admin: Caller) -> None:
    factories.spend(world.wallet(world.engineering), "0.0000171")
    factories.hold(world.wallet(world.engineering), "1.5")
    wallet = world.wallet(world.engineering)
    answer = admin.get(f"wallets/{wallet.public_id}").body
    assert answer.pop("created_at")
    assert {name: str(value) for name, value in answer.items()} == {
        "id": wallet.public_id, "scope": "team", "name": "Engineering",
        "team_id": "team_engineering", "user_id": "None", "balance": "198.4999829",
        "posted": "199.9999829", "reserved": "1.5", "debt": "0", "total_allocated": "220",
        "total_spent": "0.0000171", "status": "healthy", "frozen": "False",
        "low_threshold": "None", "draws_on_parent": "True", "draw_per_day": "None",
        "draw_per_month": "None",
    }  # fmt: skip


def test_the_list_shows_organization_then_teams_then_people(world: World, admin: Caller) -> None:
    rows = admin.get("wallets").body["results"]
    assert [(row["scope"], row["name"], row["balance"]) for row in rows] == [
        ("organization", "Acme", 1000),
        ("team", "Engineering", 200),
        ("team", "Marketing", 0),
        ("user", "mia (Engineering)", 20),
    ]


@pytest.mark.parametrize(
    ("role", "names"),
    [
        ("billing_admin", ["Acme", "Engineering", "Marketing", "mia (Engineering)"]),
        ("auditor", ["Acme", "Engineering", "Marketing", "mia (Engineering)"]),
        ("lead", ["Engineering", "mia (Engineering)"]),
        ("member", ["mia (Engineering)"]),
        ("stranger", ["Beta", "Research"]),
    ],
)
def test_everybody_sees_their_own(world: World, role: str, names: list[str]) -> None:
    rows = world.callers[role].get("wallets").body["results"]
    assert [row["name"] for row in rows] == names


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"scope": "team"}, ["Engineering", "Marketing"]),
        ({"status": "depleted"}, ["Marketing"]),
        ({"status": "healthy", "scope": "user"}, ["mia (Engineering)"]),
        ({"status": "low"}, []),
        ({"team_id": "team_engineering"}, ["Engineering", "mia (Engineering)"]),
        ({"team_id": "team_research"}, []),
        ({"search": "mark"}, ["Marketing"]),
        ({"frozen": "true"}, []),
    ],
)
def test_filters(world: World, admin: Caller, query: dict[str, str], names: list[str]) -> None:
    rows = admin.get("wallets", **query).body["results"]
    assert [row["name"] for row in rows] == names


def test_the_status_filter_agrees_with_the_status_shown(world: World, admin: Caller) -> None:
    wallet = world.wallet(world.engineering)
    Wallet.objects.filter(pk=wallet.pk).update(low_threshold=nano(500))
    rows = admin.get("wallets", status="low").body["results"]
    assert [(row["name"], row["status"]) for row in rows] == [("Engineering", "low")]


def test_a_wrong_filter_value_is_named(admin: Caller) -> None:
    answer = admin.get("wallets", scope="planet")
    assert (answer.status, answer.error["details"]["field"]) == (422, "scope")


def test_a_foreign_wallet_is_404_like_an_unknown_one(world: World, admin: Caller) -> None:
    foreign = factories.team_wallet(world.beta_team).public_id
    answers = [admin.get(f"wallets/{id}") for id in (foreign, "wal_nothing")]
    assert [answer.status for answer in answers] == [404, 404]
    assert (
        answers[0].error["message"].replace(foreign, "wal_nothing") == (answers[1].error["message"])
    )


def test_freezing_is_written_down(world: World, admin: Caller) -> None:
    wallet = world.wallet(world.marketing)
    answer = admin.patch(f"wallets/{wallet.public_id}", {"frozen": True, "reason": "audit"})
    assert (answer.status, answer.body["frozen"]) == (200, True)
    record = AuditRecord.objects.get(action="wallet.freeze")
    assert (record.target, record.after["reason"]) == (wallet.public_id, "audit")


def test_settings_change_together_or_not_at_all(world: World, admin: Caller) -> None:
    organization = world.wallet()
    answer = admin.patch(
        f"wallets/{organization.public_id}", {"draws_on_parent": False, "frozen": True}
    )
    assert answer.status == 422
    assert world.wallet().frozen is False


def test_draw_caps_are_set_and_taken_away(world: World, admin: Caller) -> None:
    path = f"wallets/{world.wallet(world.engineering).public_id}"
    assert admin.patch(path, {"draw_per_day": 2.5, "low_threshold": 7}).body["draw_per_day"]
    assert world.wallet(world.engineering).draw_per_day == nano("2.5")
    assert admin.patch(path, {"draw_per_day": None}).body["draw_per_day"] is None
    assert world.wallet(world.engineering).low_threshold == nano(7)
