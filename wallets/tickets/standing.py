"""Reading tickets: who waits for them now, and what is missing now."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import F, Min, QuerySet, Sum, Value

from wallets import sums, waiting
from wallets.models import CostTicket, Organization, Waiter


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A ticket as it stands. ``missing``: nano-dollars that let what is asked for go on.

    For those who wait that is all of them together, else the largest request that was refused; of a
    decided ticket what it was. ``oldest_at``: since when the first of those who wait does.
    """

    waiting: int = 0
    oldest_at: datetime | None = None
    missing: int = 0
    fund_url: str = ""


def rows(organization: Organization) -> QuerySet[CostTicket]:
    """The tickets of an organisation with what their pages name."""
    return (
        CostTicket.objects.for_organization(organization)
        .select_related("organization", "team", "user", "wallet", "wallet__parent")
        .order_by("-id")
    )


def live_waiters(tickets: Iterable[int]) -> QuerySet[Waiter]:
    """Those who wait for one of these tickets (primary keys) now, oldest first."""
    return waiting.live().filter(ticket_id__in=list(tickets), part=0)


def of(ticket: CostTicket) -> Standing:
    """One ticket as it stands: one statement."""
    return standing([ticket])[ticket.pk]


def standing(tickets: Sequence[CostTicket]) -> Mapping[int, Standing]:
    """Tickets (with their wallets) as they stand, by primary key: one statement for all."""
    waiters = _waiters([ticket.pk for ticket in tickets if ticket.state == ticket.State.OPEN])
    return {ticket.pk: _standing(ticket, waiters.get(ticket.pk)) for ticket in tickets}


def _waiters(open_tickets: list[int]) -> dict[int, tuple[int, datetime, int]]:
    """Per ticket: how many wait, since when, for how much."""
    if not open_tickets:
        return {}
    whole, rest = sums.parts(F("amount"))
    grouped = live_waiters(open_tickets).order_by().values_list("ticket_id")
    found = grouped.annotate(count=Sum(Value(1)), first=Min("since"), whole=whole, rest=rest)
    return {
        ticket: (count, first, sums.join(dollars, nanos))
        for ticket, count, first, dollars, nanos in found
    }


def _standing(ticket: CostTicket, waiters: tuple[int, datetime, int] | None) -> Standing:
    if ticket.state != ticket.State.OPEN:
        return Standing(missing=ticket.missing, fund_url=fund_url(ticket.wallet_id))
    count, first, asked = waiters or (0, None, ticket.needed)
    # Money that comes in repays debt first, which the balance counts.
    missing = max(0, asked - ticket.wallet.balance)
    url = fund_url(ticket.wallet_id)
    return Standing(waiting=count, oldest_at=first, missing=missing, fund_url=url)


def fund_url(wallet_id: int) -> str:
    """The page of the console on which the wallet (primary key) is funded."""
    return f"{settings.PUBLIC_URL}/admin/wallets/wallet/{wallet_id}/change/"
