"""What was used and what it cost, from decision events. Nano-dollars; sums never overflow."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, TruncDate

from gateway.models import DecisionEvent
from wallets import periods, sums
from wallets.models import Organization, Reservation, Team

GROUPS = {
    "team": "team_id",
    "user": "user_id",
    "consumer_group": "consumer_group_name",
    "model": "model",
    "day": "day",
}
MOST_GROUPS = 1000

Verdict = DecisionEvent.Verdict

BILLED = ~Q(verdict=Verdict.CACHED)
"""Whose tokens count: those of an answer from the cache were billed once, with the first."""


@dataclass(slots=True, kw_only=True)
class Used:
    """What a group of requests came to. ``requests`` counts all, refused ones included."""

    key: Any
    cost: int
    requests: int
    blocked: int
    cached: int
    prompt_tokens: int
    completion_tokens: int
    avoided: int


@dataclass(slots=True, kw_only=True)
class ModelSpend:
    """What one model cost a team, requests that were refused left out.

    ``cost`` is net of ``adjusted``, the signed sum of corrections (negative: money given back).
    """

    model: str
    cost: int = 0
    adjusted: int = 0
    tokens: int = 0
    requests: int = 0


def grouped(organization: Organization, rows: QuerySet[DecisionEvent], group_by: str) -> list[Used]:
    """``rows`` by team, user, consumer group, model or day (of the organisation), dearest first.

    One statement; days come in order of time.
    """
    column = GROUPS[group_by]
    if group_by == "day":
        rows = rows.annotate(day=TruncDate("created_at", tzinfo=ZoneInfo(organization.time_zone)))
    whole, rest = sums.parts("cost")
    avoided_whole, avoided_rest = sums.parts("estimated_avoided_cost")
    found = (
        rows.values(column)
        .annotate(
            whole=whole, rest=rest, avoided_whole=avoided_whole, avoided_rest=avoided_rest,
            requests=Count("id"),
            blocked=Count("id", filter=Q(verdict=Verdict.BLOCK)),
            cached=Count("id", filter=Q(verdict=Verdict.CACHED)),
            prompt=Coalesce(Sum("prompt_tokens", filter=BILLED), 0),
            completion=Coalesce(Sum("completion_tokens", filter=BILLED), 0),
        )
        .order_by(*([column] if group_by == "day" else ["-whole", "-rest", column]))
    )  # fmt: skip
    return [_used(row, column) for row in found[:MOST_GROUPS]]


def _used(row: dict[str, Any], column: str) -> Used:
    return Used(
        key=row[column], cost=sums.join(row["whole"], row["rest"]), requests=row["requests"],
        blocked=row["blocked"], cached=row["cached"], prompt_tokens=row["prompt"],
        completion_tokens=row["completion"],
        avoided=sums.join(row["avoided_whole"], row["avoided_rest"]),
    )  # fmt: skip


def by_model(
    organization: Organization, teams: Iterable[Team], at: datetime
) -> dict[int, list[ModelSpend]]:
    """What each team consumed in the month of ``at``, per model, dearest first.

    Adds up to what ``budgets`` call spent. Two statements, whatever the number of teams.
    """
    zone = organization.time_zone
    month = Q(
        organization=organization,
        team_id__in=[team.pk for team in teams],
        created_at__gte=periods.start("month", at, zone),
        created_at__lt=periods.end("month", at, zone),
    )
    found: dict[tuple[int, str], ModelSpend] = {}
    _add_requests(found, month)
    _add_charges(found, month)
    shown: dict[int, list[ModelSpend]] = {}
    for (team, _), spend in sorted(found.items(), key=lambda item: (-item[1].cost, item[0][1])):
        if spend.requests or spend.cost or spend.adjusted:
            shown.setdefault(team, []).append(spend)
    return shown


def _add_requests(found: dict[tuple[int, str], ModelSpend], month: Q) -> None:
    """Requests and tokens by events; what failed or was refused without a cost is left out."""
    for_nothing = Q(verdict__in=[Verdict.ERROR, Verdict.BLOCK], cost=0)
    rows = (
        DecisionEvent.objects.filter(month, cost__isnull=False)
        .exclude(for_nothing)
        .values("team_id", "model")
        .annotate(
            requests=Count("id"),
            tokens=Coalesce(Sum(F("prompt_tokens") + F("completion_tokens"), filter=BILLED), 0),
        )
        .order_by()
    )
    for row in rows:
        spend = _of_model(found, row["team_id"], row["model"])
        spend.requests, spend.tokens = row["requests"], row["tokens"]


def _add_charges(found: dict[tuple[int, str], ModelSpend], month: Q) -> None:
    """Money by the ledger's own rows, net of adjustments."""
    whole, rest = sums.parts(F("charged") + F("adjusted"))
    adjusted_whole, adjusted_rest = sums.parts("adjusted")
    rows = (
        Reservation.objects.filter(month, kind=Reservation.Kind.USAGE)
        .values("team_id", "model")
        .annotate(
            whole=whole, rest=rest, adjusted_whole=adjusted_whole, adjusted_rest=adjusted_rest
        )
        .order_by()
    )
    for row in rows:
        spend = _of_model(found, row["team_id"], row["model"])
        spend.cost = sums.join(row["whole"], row["rest"])
        spend.adjusted = sums.join(row["adjusted_whole"], row["adjusted_rest"])


def _of_model(found: dict[tuple[int, str], ModelSpend], team: int | None, model: str) -> ModelSpend:
    return found.setdefault((team or 0, model), ModelSpend(model=model))
