"""GET /v1/spend and GET /v1/wallets/balance."""

import calendar
from datetime import UTC, datetime

import pytest

from tests import factories
from tests.api.client import Caller
from tests.api.conftest import World
from wallets import adjustments
from wallets.models import Wallet

pytestmark = pytest.mark.engines


def test_a_team_has_budget_spend_and_what_is_left(world: World, admin: Caller) -> None:
    factories.spend(world.wallet(world.engineering), "0.0000171")
    factories.spend(factories.user_wallet(world.engineering, world.member), "2.2", model="gpt-4o")
    answer = admin.get("spend", team="engineering")
    body = answer.body["results"][0]
    today = datetime.now(UTC).date()
    last = calendar.monthrange(today.year, today.month)[1]
    assert body["period"] == {
        "start": today.replace(day=1).isoformat(),
        "end": today.replace(day=last).isoformat(),
    }
    shown = ("budget", "spent", "remaining", "usage_percent", "balance")
    assert [str(body[name]) for name in shown] == [
        "220", "2.2000171", "217.7999829", "1.000007773", "217.7999829",
    ]  # fmt: skip
    assert (body["team"], body["team_id"], body["name"]) == (
        "engineering",
        "team_engineering",
        "Engineering",
    )
    assert [(m["model"], str(m["cost"]), m["tokens"], m["requests"]) for m in body["models"]] == [
        ("gpt-4o", "2.2", 39, 1),
        ("gpt-4o-mini", "0.0000171", 39, 1),
    ]
    assert body["drawn_from_organization"] == 0


def test_the_breakdown_adds_up_to_what_was_spent(world: World, admin: Caller) -> None:
    event = factories.spend(world.wallet(world.engineering), 2)
    factories.spend(world.wallet(world.engineering), 1, model="gpt-4o")
    adjustments.adjust(
        organization=world.acme,
        reservation_id=event.reservation,
        amount=500_000_000,
        actor="test",
        notes="wrong model",
    )
    body = admin.get("spend", team="engineering").body["results"][0]
    rows = [(m["model"], str(m["cost"]), str(m["adjusted"])) for m in body["models"]]
    assert rows == [("gpt-4o-mini", "1.5", "-0.5"), ("gpt-4o", "1", "0")]
    assert str(body["spent"]) == "2.5"


@pytest.mark.parametrize("verdict", ["error", "block"])
def test_what_was_refused_for_nothing_has_no_line(
    world: World, admin: Caller, verdict: str
) -> None:
    for model in ("", "gpt-5-nope"):
        factories.make_event(
            world.acme,
            team_id=world.engineering.pk,
            model=model,
            verdict=verdict,
            cost=0,
            prompt_tokens=0,
            completion_tokens=0,
        )
    assert admin.get("spend", team="engineering").body["results"][0]["models"] == []


def test_what_the_organization_paid_is_spent_and_shown_beside(world: World, admin: Caller) -> None:
    factories.spend(world.wallet(), 7, team_id=world.engineering.pk)
    body = admin.get("spend", team="team_engineering").body["results"][0]
    assert (body["spent"], body["drawn_from_organization"], body["balance"]) == (7, 7, 220)


def test_a_reclaim_lowers_the_budget(world: World, admin: Caller) -> None:
    admin.post("wallets/reclaim", {"team_id": "team_engineering", "amount": 200})
    body = admin.get("spend", team="engineering").body["results"][0]
    assert (body["budget"], body["remaining"]) == (20, 20)


def test_a_team_without_a_budget_has_no_percentage(world: World, admin: Caller) -> None:
    body = admin.get("spend", team="marketing").body["results"][0]
    assert (body["budget"], body["usage_percent"], body["models"]) == (0, None, [])


@pytest.mark.parametrize(
    ("role", "teams"),
    [
        ("auditor", ["engineering", "marketing"]),
        ("lead", ["engineering"]),
        ("stranger", ["research"]),
    ],
)
def test_all_teams_are_those_one_may_see(world: World, role: str, teams: list[str]) -> None:
    rows = world.callers[role].get("spend").body["results"]
    assert [row["team"] for row in rows] == teams


@pytest.mark.parametrize("team", ["research", "team_nowhere", "%20"])
def test_an_unknown_team_is_404(admin: Caller, team: str) -> None:
    assert admin.get("spend", team=team).status in (404, 422)


def test_the_balance_of_a_person_is_the_cascade(world: World, admin: Caller) -> None:
    body = admin.get("wallets/balance", user_id=world.member.public_id).body
    assert [(wallet["scope"], wallet["balance"]) for wallet in body["wallets"]] == [
        ("user", 20),
        ("team", 200),
        ("organization", 1000),
    ]
    assert (body["effective_scope"], body["effective_balance"], body["available"]) == (
        "user",
        20,
        1000,
    )


def test_a_team_that_may_not_draw_stands_alone(world: World, admin: Caller) -> None:
    body = admin.get("wallets/balance", team_id="team_marketing").body
    assert [wallet["scope"] for wallet in body["wallets"]] == ["team"]
    assert (body["effective_wallet"], body["available"]) == (None, 0)


def test_an_empty_team_is_served_from_above(world: World, admin: Caller) -> None:
    Wallet.objects.filter(team=world.marketing).update(draws_on_parent=True)
    body = admin.get("wallets/balance", team_id="team_marketing").body
    assert (body["effective_scope"], body["effective_balance"]) == ("organization", 1000)


def test_without_a_name_it_is_the_organizations(world: World, admin: Caller) -> None:
    body = admin.get("wallets/balance").body
    assert (body["effective_scope"], body["available"]) == ("organization", 1000)


def test_a_person_in_no_team_needs_a_team(world: World, admin: Caller) -> None:
    outsider = factories.make_user(world.acme)
    answer = admin.get("wallets/balance", user_id=outsider.public_id)
    assert (answer.status, answer.error["details"]["field"]) == (422, "team_id")


@pytest.mark.parametrize("query", [{"team_id": "team_research"}, {"user_id": "user_nobody"}])
def test_the_balance_of_somebody_elsewhere_is_404(admin: Caller, query: dict[str, str]) -> None:
    assert admin.get("wallets/balance", **query).status == 404


def test_the_tokens_of_cached_answers_are_not_counted_as_billed(
    world: World, admin: Caller
) -> None:
    factories.spend(world.wallet(world.engineering), 2)
    factories.make_event(
        world.acme, team_id=world.engineering.pk, model="gpt-4o-mini", verdict="cached", cost=0,
        prompt_tokens=14, completion_tokens=25, estimated_avoided_cost=17_100,
    )  # fmt: skip
    [model] = admin.get("spend", team="engineering").body["results"][0]["models"]
    assert (model["requests"], model["tokens"], str(model["cost"])) == (2, 39, "2")
    [used] = admin.get("usage", group_by="team").body["results"]
    assert (used["requests"], used["cached"], used["total_tokens"]) == (2, 1, 39)
    assert str(used["estimated_avoided_cost"]) == "0.0000171"
