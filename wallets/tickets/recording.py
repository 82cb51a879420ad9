"""Writing tickets: many refusals at once, a few statements, the same ticket all hour long."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.db import transaction

from wallets.models import CostTicket, Waiter

RECENT = 20
"""How many request ids a ticket remembers: to show them, and to count none of them twice."""
ATTEMPTS = 5
"""A ticket may be decided between its opening and its lock; then the next one is opened."""

Key = tuple[int, int, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """A request that ``wallet_id`` could not pay at ``at``. Amounts in nano-dollars.

    ``needed`` is the hold it asked for, ``missing`` what the wallet was short of. ``user_id`` is
    given where the wallet is a person's. ``waiter``: the reservation that waits for the money.
    """

    organization_id: int
    team_id: int
    wallet_id: int
    needed: int
    missing: int
    request_id: str
    at: datetime
    user_id: int | None = None
    reason_code: str = "insufficient_balance"
    waiter: UUID | None = None

    @property
    def key(self) -> Key:
        """What one ticket stands for: team, wallet and hour."""
        hour = self.at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        return (self.team_id, self.wallet_id, hour)


def record(shortages: Sequence[Shortage]) -> list[str]:
    """Write refusals into the open tickets they belong to; answers the ticket ids in order.

    Nothing is counted twice when the same refusals come again: after an unknown commit, repeat the
    call. Waiters are tied to their ticket. Raises database errors.
    """
    groups: dict[Key, list[Shortage]] = defaultdict(list)
    for shortage in shortages:
        groups[shortage.key].append(shortage)
    found: dict[Key, CostTicket] = {}
    for _ in range(ATTEMPTS):
        left = {key: group for key, group in groups.items() if key not in found}
        if not left:
            break
        found |= _counted(left)
        _tie_waiters({key: found[key] for key in left if key in found}, groups)
    return [found[s.key].public_id if s.key in found else "" for s in shortages]


def dismissed(shortage: Shortage) -> str | None:
    """The id of the latest dismissed ticket that counts this request; None where there is none."""
    team, wallet, hour = shortage.key
    rows = CostTicket.objects.filter(
        team=team, wallet=wallet, hour=hour, state=CostTicket.State.DISMISSED
    ).order_by("-decided_at", "-pk")
    found = list(rows.values_list("public_id", "recent"))
    named = (ticket for ticket, recent in found if shortage.request_id in recent)
    # A busy ticket remembers only its latest requests.
    return next(named, found[0][0] if found else None)


@transaction.atomic
def _counted(groups: dict[Key, list[Shortage]]) -> dict[Key, CostTicket]:
    """Open what is missing, lock, count; a key is left out whose ticket was decided meanwhile."""
    # In one order everywhere, so that two processes wait for each other and never deadlock.
    keys = sorted(groups)
    CostTicket.objects.bulk_create([_opened(groups[key]) for key in keys], ignore_conflicts=True)
    tickets = _locked(keys)
    for key, ticket in tickets.items():
        _count(ticket, groups[key])
    CostTicket.objects.bulk_update(
        tickets.values(),
        ["reason_code", "needed", "missing", "requests", "recent", "first_at", "last_at"],
    )
    return tickets


def _opened(group: list[Shortage]) -> CostTicket:
    """A ticket that counts nothing yet."""
    first = group[0]
    return CostTicket(
        organization_id=first.organization_id,
        team_id=first.team_id,
        user_id=first.user_id,
        wallet_id=first.wallet_id,
        reason_code=first.reason_code,
        needed=0,
        missing=0,
        hour=first.key[2],
        first_at=min(shortage.at for shortage in group),
        last_at=max(shortage.at for shortage in group),
    )


def _locked(keys: list[Key]) -> dict[Key, CostTicket]:
    """The open tickets of these keys, locked by primary key."""
    rows = CostTicket.objects.select_for_update(no_key=True).filter(
        state=CostTicket.State.OPEN,
        team__in={team for team, _, _ in keys},
        wallet__in={wallet for _, wallet, _ in keys},
        hour__in={hour for _, _, hour in keys},
    )
    wanted = set(keys)
    found = {(row.team_id, row.wallet_id, row.hour): row for row in rows.order_by("pk")}
    return {key: row for key, row in found.items() if key in wanted}


def _count(ticket: CostTicket, group: Iterable[Shortage]) -> None:
    for shortage in group:
        if shortage.request_id in ticket.recent:
            continue
        ticket.recent = [*ticket.recent, shortage.request_id][-RECENT:]
        ticket.requests += 1
        ticket.needed = max(ticket.needed, shortage.needed)
        ticket.missing = max(ticket.missing, shortage.missing)
        ticket.first_at = min(ticket.first_at, shortage.at)
        if shortage.at >= ticket.last_at:
            ticket.last_at, ticket.reason_code = shortage.at, shortage.reason_code


def _tie_waiters(tickets: dict[Key, CostTicket], groups: dict[Key, list[Shortage]]) -> None:
    """Outside the tickets' lock: the ledger locks waiters first and tickets last."""
    for key, ticket in tickets.items():
        waiters = [shortage.waiter for shortage in groups[key] if shortage.waiter is not None]
        if waiters:
            Waiter.objects.filter(pk__in=waiters).update(ticket_id=ticket.pk)
