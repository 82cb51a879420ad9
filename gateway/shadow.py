"""What shadow mode would have refused, from decision events. Nano-dollars; sums never overflow.

Only requests of shadow mode count: their events carry ``details.shadow``. There is the code of the
refusal where one would have been refused; all others would have passed for what they cost.
"""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Min, QuerySet, TextField, Value
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.db.models.functions import Coalesce

from gateway.models import DecisionEvent
from wallets import sums

MOST_ROWS = 5_000
"""Combinations of team, group, model and code that a report adds up."""


@dataclass(slots=True)
class Tally:
    """Requests of one kind. ``refusable`` would have been refused; both costs were spent."""

    requests: int = 0
    refusable: int = 0
    cost_passed: int = 0
    cost_refusable: int = 0

    def add(self, row: "_Row") -> None:
        """Count what a row of the database counts."""
        self.requests += row.requests
        if row.code:
            self.refusable += row.requests
            self.cost_refusable += row.cost
        else:
            self.cost_passed += row.cost


@dataclass(slots=True)
class Report:
    """The sum of it all; keys are (team, consumer group) and model and refusal code.

    ``first_at`` and ``last_at`` are those of would-be refusals.
    """

    total: Tally = field(default_factory=Tally)
    by_code: dict[str, Tally] = field(default_factory=dict)
    by_consumer: dict[tuple[int | None, str], Tally] = field(default_factory=dict)
    by_model: dict[str, Tally] = field(default_factory=dict)
    first_at: datetime | None = None
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    team_id: int | None
    consumer_group: str
    model: str
    code: str
    requests: int
    cost: int
    first_at: datetime
    last_at: datetime


def report(events: QuerySet[DecisionEvent]) -> Report:
    """Add up those of these events that shadow mode judged: one statement, however many."""
    rows = list(_rows(events.filter(details__has_key="shadow")))
    found = Report(
        by_consumer=_tallied(rows, lambda row: (row.team_id, row.consumer_group)),
        by_model=_tallied(rows, lambda row: row.model),
        by_code=_tallied((row for row in rows if row.code), lambda row: row.code),
    )
    for row in rows:
        found.total.add(row)
    refused = [row for row in rows if row.code]
    found.first_at = min((row.first_at for row in refused), default=None)
    found.last_at = max((row.last_at for row in refused), default=None)
    return found


def _rows(events: QuerySet[DecisionEvent]) -> Iterable[_Row]:
    whole, rest = sums.parts(Coalesce("cost", Value(0)))
    code = KeyTextTransform("code", KeyTransform("shadow", "details"))
    grouped = (
        events.annotate(code=Coalesce(code, Value(""), output_field=TextField()))
        .values("team_id", "consumer_group_name", "model", "code")
        .annotate(
            requests=Count("id"), whole=whole, rest=rest, first=Min("created_at"),
            last=Max("created_at"),
        )
        .order_by("-requests", "team_id", "consumer_group_name", "model", "code")
    )  # fmt: skip
    for row in grouped[:MOST_ROWS]:
        yield _Row(
            team_id=row["team_id"], consumer_group=row["consumer_group_name"], model=row["model"],
            code=row["code"], requests=row["requests"], cost=sums.join(row["whole"], row["rest"]),
            first_at=row["first"], last_at=row["last"],
        )  # fmt: skip


def _tallied(rows: Iterable[_Row], key: Callable[[_Row], Any]) -> dict[Any, Tally]:
    """Tallies by key, those with most would-be refusals first."""
    found: dict[Hashable, Tally] = {}
    for row in rows:
        found.setdefault(key(row), Tally()).add(row)
    order = sorted(found.items(), key=lambda item: (-item[1].refusable, -item[1].requests))
    return dict(order)
