"""Budgets: what teams may spend in a calendar month of their organisation, and what they did.

Budget = balance at the start of the month + allocations in - reclaims out, team wallet and its user
wallets together. Spent = what the team consumed this month, whoever paid. All nano-dollars.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.db.models.expressions import Combinable
from django.utils import timezone

from wallets import periods, sums
from wallets.models import Entry, Organization, Reservation, Team, Wallet

BURN_DAYS = 7
"""The burn rate looks at this many days."""


@dataclass(slots=True, kw_only=True)
class Budget:
    """One team in one month. ``period`` is its first and last day."""

    team: Team
    starts_on: date
    ends_on: date
    budget: int = 0
    spent: int = 0
    held: int = 0
    balance: int = 0
    drawn_from_organization: int = 0
    burn_rate_per_day: int = 0

    @property
    def remaining(self) -> int:
        """What is left of the budget; negative when the team drew on the organisation beyond it."""
        return self.budget - self.spent

    @property
    def used_percent(self) -> float | None:
        """Share of the budget spent, in percent; None without a budget (nothing to be a share
        of).
        """
        return None if self.budget <= 0 else self.spent * 100 / self.budget


def of_team(team: Team, at: datetime | None = None) -> Budget:
    """The budget of one team in the month of ``at`` (now)."""
    return of_teams(team.organization, [team], at)[team.pk]


def of_teams(
    organization: Organization, teams: Iterable[Team] | None = None, at: datetime | None = None
) -> dict[int, Budget]:
    """Budgets by team primary key; the number of statements does not grow with the teams."""
    at = at or timezone.now()
    zone = organization.time_zone
    begun, ended = periods.start("month", at, zone), periods.end("month", at, zone)
    if teams is None:
        teams = Team.objects.for_organization(organization)
    days = _local_day(begun, zone), _local_day(ended - timedelta(microseconds=1), zone)
    found = {team.pk: Budget(team=team, starts_on=days[0], ends_on=days[1]) for team in teams}
    _add_wallets(organization, found, begun)
    _add_moves(found, begun, ended)
    _add_spent(organization, found, begun, ended, at)
    return found


def _local_day(moment: datetime, zone: str) -> date:
    return periods.local(moment, zone).date()


def _add_wallets(organization: Organization, found: dict[int, Budget], begun: datetime) -> None:
    """Balances now, and the opening balances: the last entry before the month."""
    last = Entry.objects.filter(wallet=OuterRef("pk"), created_at__lt=begun).order_by("-seq")
    opening = last.annotate(owned=F("posted_after") - F("debt_after")).values("owned")[:1]
    rows = Wallet.objects.for_organization(organization).filter(team__in=list(found))
    for wallet in rows.annotate(opening=Subquery(opening)):
        budget = found[wallet.team_id or 0]
        budget.budget += wallet.opening or 0
        budget.balance += wallet.balance


def _add_moves(found: dict[int, Budget], begun: datetime, ended: datetime) -> None:
    """Money from and to outside the team; between its own wallets it cancels out."""
    whole, rest = sums.parts(F("d_posted") - F("d_debt"))
    moved = Entry.objects.filter(
        wallet__team__in=list(found), created_at__gte=begun, created_at__lt=ended
    ).exclude(type__in=["reserve", "settle", "refund", "adjustment"])
    for team, dollars, nanos in (
        moved.values_list("wallet__team").annotate(whole=whole, rest=rest).order_by()
    ):
        found[team].budget += sums.join(dollars, nanos)


def _add_spent(
    organization: Organization,
    found: dict[int, Budget],
    begun: datetime,
    ended: datetime,
    at: datetime,
) -> None:
    """What the teams consumed, by the month in which the money was held."""
    net = F("charged") + F("adjusted")
    recent = at - timedelta(days=BURN_DAYS)
    rows = Reservation.objects.for_organization(organization).filter(
        team_id__in=list(found), kind=Reservation.Kind.USAGE, created_at__lt=ended
    )
    month = rows.filter(created_at__gte=begun)
    for team, amount in _by_team(month, net).items():
        found[team].spent = amount
    for team, amount in _by_team(month.filter(wallet__scope="organization"), net).items():
        found[team].drawn_from_organization = amount
    for team, amount in _by_team(month.filter(state="held"), F("amount")).items():
        found[team].held = amount
    for team, amount in _by_team(rows.filter(created_at__gte=recent), net).items():
        found[team].burn_rate_per_day = amount // BURN_DAYS


def _by_team(rows: QuerySet[Reservation], amount: Combinable) -> Counter[int]:
    whole, rest = sums.parts(amount)
    grouped = rows.filter(~Q(team_id=None)).values_list("team_id").annotate(whole=whole, rest=rest)
    return Counter({team: sums.join(dollars, nanos) for team, dollars, nanos in grouped.order_by()})
