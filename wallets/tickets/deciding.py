"""Who decides a ticket, and the two ends that move no money: dismissed and expired."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from wallets import audit, permissions, waiting
from wallets.errors import Conflict, InvalidInput
from wallets.models import CostTicket, Waiter
from wallets.permissions import Action
from wallets.tenancy import Actor

NOTE_LENGTH = 500


def may_decide(actor: Actor, ticket: CostTicket) -> bool:
    """Whether the actor may approve or dismiss: a lead only what the team's own money can cover."""
    # The wallet above a team's is the organisation's, which is not a lead's to give.
    team = ticket.team if ticket.user_id is not None else None
    return permissions.allows(
        actor, Action.TICKETS_DECIDE, organization=ticket.organization, team=team, user=ticket.user
    )


def require_decision(actor: Actor, ticket: CostTicket) -> None:
    """Raise Forbidden unless ``may_decide``, or NotFound where the ticket must not be known."""
    organization = ticket.organization
    permissions.require(
        actor, Action.TICKETS_READ, organization=organization, team=ticket.team, user=ticket.user,
        named=f"cost ticket {ticket.public_id}",
    )  # fmt: skip
    if not may_decide(actor, ticket):
        permissions.require(actor, Action.TICKETS_DECIDE, organization=organization)


def check_note(note: str) -> None:
    """A note fits its column."""
    if len(note) > NOTE_LENGTH:
        raise InvalidInput("note", f"must be at most {NOTE_LENGTH} characters.")


def decided_already(ticket: CostTicket) -> Conflict:
    """Somebody was faster; ``ticket`` may be older than that."""
    now = CostTicket.objects.only("state", "public_id").get(pk=ticket.pk)
    message = f"The ticket is {now.state} already."
    return Conflict(message, code="ticket_closed", state=now.state)


def dismiss(*, actor: Actor, ticket: CostTicket, note: str = "") -> CostTicket:
    """Decide that no money comes; those who wait are refused within a second.

    Raises Forbidden, NotFound, InvalidInput ``note``, Conflict ``ticket_closed``.
    """
    require_decision(actor, ticket)
    check_note(note)
    with transaction.atomic():
        # Waiters before tickets: the order in which an approval locks them.
        Waiter.objects.filter(ticket_id=ticket.pk).update(dismissed=True)
        closed = CostTicket.objects.filter(pk=ticket.pk, state=CostTicket.State.OPEN).update(
            state=CostTicket.State.DISMISSED,
            decided_by=actor.public_id,
            decided_at=timezone.now(),
            note=note,
        )
        if not closed:
            raise decided_already(ticket)
        audit.record(
            organization=ticket.organization, actor=actor.public_id, action="ticket.dismiss",
            target=ticket.public_id, before={"state": "open"},
            after={"state": "dismissed", "note": note}, address=actor.address,
        )  # fmt: skip
    ticket.refresh_from_db()
    return ticket


def expire(*, now: datetime | None = None) -> int:
    """Close open tickets of which nothing was heard for ``TICKET_HOURS`` and that nobody waits for.

    Answers how many; safe twice at once.
    """
    now = now or timezone.now()
    waits = waiting.live().filter(ticket_id=OuterRef("pk"))
    due = CostTicket.objects.filter(
        ~Exists(waits),
        state=CostTicket.State.OPEN,
        last_at__lte=now - timedelta(hours=settings.TICKET_HOURS),
    )
    return due.update(state=CostTicket.State.EXPIRED, decided_by="system", decided_at=now)
