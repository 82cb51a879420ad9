"""GET /v1/events and receipts; GET /v1/usage."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from gateway.models import DecisionEvent
from tests import factories
from tests.api.client import Caller
from tests.api.conftest import World
from tests.factories import nano

pytestmark = pytest.mark.engines


@pytest.fixture
def events(world: World) -> dict[str, str]:
    """Ids by name: a charged request of engineering, one of mia, a blocked and a cached one."""
    team = world.wallet(world.engineering)
    now = timezone.now()
    made = {
        "cached": factories.make_event(
            world.acme, verdict="cached", team_id=world.engineering.pk, cost=0, model="gpt-4o",
            estimated_avoided_cost=nano("0.5"), created_at=now - timedelta(seconds=4),
        ),
        "blocked": factories.make_event(
            world.acme, verdict="block", team_id=world.marketing.pk, status=402,
            reason_code="insufficient_balance", consumer_group_name="marketing",
            prompt_tokens=0, completion_tokens=0, created_at=now - timedelta(seconds=3),
        ),
        "charged": factories.spend(
            team, "0.0000171", consumer_group_name="engineering", tags={"project": "x"},
            usage={"cached_tokens": 3}, created_at=now - timedelta(seconds=2),
        ),
        "mia": factories.spend(
            factories.user_wallet(world.engineering, world.member), "1.25",
            created_at=now - timedelta(seconds=1),
        ),
    }  # fmt: skip
    return {name: event.pk for name, event in made.items()}


def _names(world: World, role: str, events: dict[str, str], **query: str) -> list[str]:
    names = {pk: name for name, pk in events.items()}
    answer = world.callers[role].get("events", **query)
    return [names[row["id"]] for row in answer.body["results"]]


def test_an_event_is_shown_in_public_ids_and_dollars(
    world: World, admin: Caller, events: dict[str, str]
) -> None:
    answer = admin.get("events", consumer_group="engineering")
    row = answer.body["results"][0]
    assert '"cost":0.0000171,' in answer.text
    assert row["usage"] == {
        "prompt_tokens": 14, "completion_tokens": 25, "total_tokens": 39, "cached_tokens": 3,
    }  # fmt: skip
    assert row["wallet"] == world.wallet(world.engineering).public_id
    assert (row["team_id"], row["user_id"]) == ("team_engineering", None)
    assert row["tags"] == {"project": "x"}


def test_a_blocked_request_has_no_cost_and_no_tokens(admin: Caller, events: dict[str, str]) -> None:
    row = admin.get("events", verdict="block").body["results"][0]
    assert (row["cost"], row["usage"]["total_tokens"]) == (None, 0)
    assert row["reason_code"] == "insufficient_balance"


@pytest.mark.parametrize(
    ("role", "names"),
    [
        ("auditor", ["mia", "charged", "blocked", "cached"]),
        ("lead", ["mia", "charged", "cached"]),
        ("member", ["mia"]),
    ],
)
def test_everybody_sees_their_own_newest_first(
    world: World, events: dict[str, str], role: str, names: list[str]
) -> None:
    assert _names(world, role, events) == names


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"team": "engineering"}, ["mia", "charged", "cached"]),
        ({"team": "team_marketing"}, ["blocked"]),
        ({"verdict": "cached"}, ["cached"]),
        ({"model": "gpt-4o"}, ["cached"]),
        ({"consumer_group": "marketing"}, ["blocked"]),
        ({"until": "2001-01-01T00:00:00Z"}, []),
    ],
)
def test_filters(
    world: World, events: dict[str, str], query: dict[str, str], names: list[str]
) -> None:
    assert _names(world, "admin", events, **query) == names


def test_since_is_included_and_until_is_not(world: World, events: dict[str, str]) -> None:
    rows = world.callers["admin"].get("events").body["results"]
    moment = rows[1]["created_at"]
    assert _names(world, "admin", events, since=moment) == ["mia", "charged"]
    assert _names(world, "admin", events, until=moment) == ["blocked", "cached"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"team": "research"}, 404),
        ({"user_id": "user_nobody"}, 404),
        ({"verdict": "maybe"}, 422),
        ({"since": "0001-01-01T00:00:00%2B14:00"}, 422),
    ],
)
def test_wrong_filters(admin: Caller, query: dict[str, str], status: int) -> None:
    assert admin.get("events", **query).status == status


def test_a_receipt_shows_charge_and_entries(
    world: World, admin: Caller, events: dict[str, str]
) -> None:
    body = admin.get(f"events/{events['mia']}").body
    assert (body["user_id"], str(body["cost"])) == (world.member.public_id, "1.25")
    assert (body["charge"]["state"], str(body["charge"]["charged"])) == ("settled", "1.25")
    assert [entry["type"] for entry in body["transactions"]] == ["reserve", "settle"]


def test_a_receipt_says_how_its_cost_came_about(
    world: World, admin: Caller, events: dict[str, str]
) -> None:
    lines = [["input", 14, 150_000_000], ["output", 25, 600_000_000]]
    DecisionEvent.objects.filter(pk=events["mia"]).update(details={"lines": lines, "waited_ms": 7})
    body = admin.get(f"events/{events['mia']}").body
    assert body["calculation"] == {
        "lines": [
            {
                "token_class": "input",
                "tokens": 14,
                "usd_per_1k_tokens": Decimal("0.00015"),
                "cost": Decimal("0.0000021"),
            },
            {
                "token_class": "output",
                "tokens": 25,
                "usd_per_1k_tokens": Decimal("0.0006"),
                "cost": Decimal("0.000015"),
            },
        ],
        "sum": Decimal("0.0000171"),
        "rounding": "up, to a whole nano-dollar",
        "formula": "14 x 0.00015 / 1000 + 25 x 0.0006 / 1000 = 0.0000171",
    }
    assert body["details"] == {"waited_ms": 7}


def test_the_amounts_of_a_receipt_are_fixed_point_numbers(
    admin: Caller, events: dict[str, str]
) -> None:
    shadow = {"code": "insufficient_balance", "wallet": "wal_x", "missing": "0.000000017"}
    details = {"lines": [["input", 1, 150_000_000]], "shadow": shadow}
    DecisionEvent.objects.filter(pk=events["mia"]).update(details=details)
    answer = admin.get(f"events/{events['mia']}")
    assert '"cost":0.00000015}' in answer.text
    assert '"sum":0.00000015,' in answer.text
    assert '"usd_per_1k_tokens":0.00015,' in answer.text
    assert '"missing":0.000000017}' in answer.text


def test_a_receipt_of_a_refusal_has_no_charge(admin: Caller, events: dict[str, str]) -> None:
    body = admin.get(f"events/{events['blocked']}").body
    assert (body["charge"], body["transactions"]) == (None, [])


def test_a_foreign_receipt_is_404(world: World, events: dict[str, str]) -> None:
    assert world.callers["stranger"].get(f"events/{events['mia']}").status == 404


@pytest.mark.parametrize(
    ("group_by", "expected"),
    [
        ("team", [("team_engineering", "1.2500171", 3), ("team_marketing", "0", 1)]),
        ("model", [("gpt-4o-mini", "1.2500171", 3), ("gpt-4o", "0", 1)]),
        (
            "consumer_group",
            [(None, "1.25", 2), ("engineering", "0.0000171", 1), ("marketing", "0", 1)],
        ),
    ],
)
def test_usage_is_summed_exactly(
    admin: Caller,
    events: dict[str, str],
    group_by: str,
    expected: list[tuple[str | None, str, int]],
) -> None:
    since = (timezone.now() - timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = admin.get("usage", group_by=group_by, since=since).body
    assert [(row["key"], str(row["cost"]), row["requests"]) for row in body["results"]] == expected
    assert str(body["total_cost"]) == "1.2500171"


def test_usage_counts_what_was_refused_and_what_was_avoided(
    admin: Caller, events: dict[str, str]
) -> None:
    since = (timezone.now() - timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    rows = admin.get("usage", since=since).body["results"]
    assert [(r["blocked"], r["cached"], str(r["estimated_avoided_cost"])) for r in rows] == [
        (0, 1, "0.5"),
        (1, 0, "0"),
    ]


def test_usage_by_person_and_by_day(world: World, admin: Caller, events: dict[str, str]) -> None:
    since = (timezone.now() - timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    people = admin.get("usage", group_by="user", since=since).body["results"]
    assert [row["key"] for row in people] == [world.member.public_id, None]
    days = admin.get("usage", group_by="day", since=since, team="engineering").body["results"]
    assert sum(row["requests"] for row in days) == 3
    assert days[-1]["key"] in {
        (timezone.now() - timedelta(seconds=seconds)).date().isoformat() for seconds in (0, 30)
    }


def test_a_member_sums_their_own_usage_only(world: World, events: dict[str, str]) -> None:
    since = (timezone.now() - timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = world.callers["member"].get("usage", group_by="model", since=since).body
    assert str(body["total_cost"]) == "1.25"


@pytest.mark.parametrize("group_by", ["planet", "team_id"])
def test_usage_by_something_else_is_refused(admin: Caller, group_by: str) -> None:
    answer = admin.get("usage", group_by=group_by)
    assert (answer.status, answer.error["details"]["field"]) == (422, "group_by")


def test_usage_over_more_than_400_days_is_refused(admin: Caller) -> None:
    answer = admin.get("usage", since="2020-01-01T00:00:00Z")
    assert (answer.status, answer.error["details"]["field"]) == (422, "since")
