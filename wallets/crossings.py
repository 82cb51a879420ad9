"""Crossings of budgets: found by reading, written once, read in order by whoever tells people.

A level is crossed when what a team spent this month reaches that percentage of its budget. It is
armed again when usage falls below the level (money was added, or a charge was given back); then the
next crossing counts as a new one. A team without a budget crosses nothing.
"""

from collections.abc import Iterable
from datetime import datetime
from fractions import Fraction

from django.db import connection, transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from wallets import budgets, periods
from wallets.budgets import Budget
from wallets.models import Crossing, Organization, Team

NUMBERING = 7_071_001
"""Key of the advisory lock under which crossings are numbered."""


def look_at_budgets(
    organization: Organization,
    teams: Iterable[Team],
    levels: Iterable[str],
    at: datetime | None = None,
) -> list[Crossing]:
    """Write down which ``levels`` (percent: ``80``, ``12.5``) teams have crossed since last time.

    Answers the new crossings. Any number of processes may look at once. While nothing has changed
    it is reads only, a fixed number of statements whatever the number of teams.
    """
    at = at or timezone.now()
    wanted, by_id = tuple(dict.fromkeys(levels)), {team.pk: team for team in teams}
    found = budgets.of_teams(organization, by_id.values(), at)
    known = _known(organization, found, at)
    written: list[Crossing] = []
    for pk in sorted(found):
        if any(_changes(found[pk], wanted, known.get(pk, {}))):
            written += _decide(organization, by_id[pk], wanted, at)
    return written


def after(seq: int, limit: int = 500) -> QuerySet[Crossing]:
    """The crossings that follow number ``seq``, oldest first: none is ever skipped."""
    rows = Crossing.objects.filter(seq__gt=seq).select_related("organization", "team", "wallet")
    return rows.order_by("seq")[:limit]


def _scope(team: int) -> str:
    return f"team:{team}"


def _known(
    organization: Organization, teams: Iterable[int], at: datetime
) -> dict[int, dict[str, Crossing]]:
    """Crossings of this month that are not armed again, by team and level: one statement."""
    rows = Crossing.objects.filter(
        kind=Crossing.Kind.BUDGET,
        scope__in=[_scope(team) for team in teams],
        period_start=periods.start("month", at, organization.time_zone),
        rearmed_at=None,
    )
    known: dict[int, dict[str, Crossing]] = {}
    for row in rows:
        known.setdefault(row.team_id or 0, {})[row.level] = row
    return known


def _changes(
    budget: Budget, levels: tuple[str, ...], known: dict[str, Crossing]
) -> tuple[list[str], list[Crossing]]:
    """Levels that are crossed and not written, and crossings that are no longer so."""
    if budget.budget <= 0:
        return [], []
    new = [level for level in levels if level not in known and _reached(budget, level)]
    return new, [row for row in known.values() if not _reached(budget, row.level)]


def _reached(budget: Budget, level: str) -> bool:
    return budget.spent * 100 >= Fraction(level) * budget.budget


@transaction.atomic
def _decide(
    organization: Organization, team: Team, levels: tuple[str, ...], at: datetime
) -> list[Crossing]:
    """Look again, alone: what another process read a moment ago must not undo what is true now."""
    Team.objects.select_for_update(no_key=True).get(pk=team.pk)
    budget = budgets.of_teams(organization, [team], at)[team.pk]
    new, fallen = _changes(budget, levels, _known(organization, [team.pk], at).get(team.pk, {}))
    now = timezone.now()
    Crossing.objects.filter(pk__in=[row.pk for row in fallen]).update(rearmed_at=now)
    if not new:
        return []
    begun = periods.start("month", at, organization.time_zone)
    first = _next_number()
    rows = [
        Crossing(
            seq=first + place, organization=organization, kind=Crossing.Kind.BUDGET,
            scope=_scope(team.pk), team=team, level=level, period_start=begun,
            budget=budget.budget, spent=budget.spent, created_at=now,
        )
        for place, level in enumerate(sorted(new, key=Fraction))
    ]  # fmt: skip
    return Crossing.objects.bulk_create(rows)


def _next_number() -> int:
    """The next number of a crossing; it is ours until the transaction ends."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [NUMBERING])
    # SQLite lets one transaction write at a time, from its beginning.
    return (Crossing.objects.aggregate(last=Max("seq"))["last"] or 0) + 1
