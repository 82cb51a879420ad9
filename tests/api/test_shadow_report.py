"""The report of shadow mode: what would have been refused, and what it cost."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests import factories
from tests.api.conftest import World
from tests.factories import nano
from wallets.models import Team

pytestmark = [pytest.mark.django_db, pytest.mark.engines]

DAY = datetime(2026, 3, 14, tzinfo=UTC)
RANGE = {"since": "2026-03-14T00:00:00Z", "until": "2026-03-15T00:00:00Z"}


def event(team: Team, cost: str | None, code: str = "", hour: int = 1, **fields: Any) -> None:
    shadow = {"code": code, "wallet": "wal_x", "missing": "1"} if code else {"wallet": "wal_x"}
    factories.make_event(
        team.organization,
        team_id=team.pk,
        consumer_group_name=fields.pop("group", "batch"),
        cost=None if cost is None else nano(cost),
        details=fields.pop("details", {"shadow": shadow}),
        created_at=DAY + timedelta(hours=hour),
        **fields,
    )


@pytest.fixture
def week(world: World) -> World:
    """Five requests of two teams, three of which would have been refused."""
    event(world.engineering, "1.5")
    event(world.engineering, "0.000000001", "insufficient_balance", hour=2)
    event(world.engineering, "2", "insufficient_balance", hour=5, model="gpt-4o", group="web")
    event(world.marketing, "4", "daily_limit_exceeded", hour=3)
    event(world.marketing, None, verdict="block")
    event(world.marketing, "100", "stopped", hour=25)
    event(world.beta_team, "50", "insufficient_balance")
    return world


def sums(requests: int, refused: int, passed: object, cost: object) -> dict[str, object]:
    return {
        "requests": requests, "would_refuse": refused, "cost_passed": passed, "cost_refused": cost,
    }  # fmt: skip


def test_it_sums_up_what_would_have_been_refused(week: World) -> None:
    body = week.callers["admin"].get("shadow-report", **RANGE).body
    assert body == {
        **RANGE,
        **sums(5, 3, Decimal("1.5"), Decimal("6.000000001")),
        "first_at": "2026-03-14T02:00:00Z",
        "last_at": "2026-03-14T05:00:00Z",
        "by_code": [
            {"code": "insufficient_balance", **sums(2, 2, 0, Decimal("2.000000001"))},
            {"code": "daily_limit_exceeded", **sums(1, 1, 0, 4)},
        ],
        "by_consumer": [
            {
                "team_id": "team_engineering", "consumer_group": "batch",
                **sums(2, 1, Decimal("1.5"), Decimal("0.000000001")),
            },
            {"team_id": "team_marketing", "consumer_group": "batch", **sums(2, 1, 0, 4)},
            {"team_id": "team_engineering", "consumer_group": "web", **sums(1, 1, 0, 2)},
        ],
        "by_model": [
            {"model": "gpt-4o-mini", **sums(4, 2, Decimal("1.5"), Decimal("4.000000001"))},
            {"model": "gpt-4o", **sums(1, 1, 0, 2)},
        ],
    }  # fmt: skip


def test_what_was_enforced_does_not_count(week: World) -> None:
    event(week.engineering, "7", details={"waited_ms": 3})
    body = week.callers["admin"].get("shadow-report", **RANGE).body
    assert (body["requests"], body["would_refuse"], body["cost_passed"]) == (5, 3, Decimal("1.5"))


def test_one_team_may_be_asked_for(week: World) -> None:
    body = week.callers["admin"].get("shadow-report", **RANGE, team="marketing").body
    assert (body["requests"], body["would_refuse"], body["cost_refused"]) == (2, 1, 4)


def test_everybody_sees_what_is_theirs(week: World) -> None:
    def refused(name: str) -> int:
        found: int = week.callers[name].get("shadow-report", **RANGE).body["would_refuse"]
        return found

    assert {name: refused(name) for name in ("admin", "auditor", "lead", "member", "stranger")} == {
        "admin": 3, "auditor": 3, "lead": 2, "member": 0, "stranger": 1,
    }  # fmt: skip
    answer = week.callers["lead"].get("shadow-report", **RANGE, team="marketing")
    assert answer.status == 404


def test_nothing_is_a_report_too(world: World) -> None:
    body = world.callers["admin"].get("shadow-report").body
    assert (body["requests"], body["first_at"], body["by_code"]) == (0, None, [])


def test_a_range_that_is_too_long_is_refused(world: World) -> None:
    answer = world.callers["admin"].get("shadow-report", since="2025-01-01T00:00:00Z")
    assert (answer.status, answer.error["details"]["field"]) == (422, "since")
