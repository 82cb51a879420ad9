"""Approving a ticket: the missing money and the holds of those who wait, in one transaction."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db.models import F, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from keeptrusts.lib import ids, money
from wallets import allocations, audit, ledger, waiting
from wallets.errors import Conflict, InsufficientFunds, InvalidInput, LedgerUnavailable, Refused
from wallets.ledger import Claimed, Leg, Note, Operation, Reserve, Transfer, Waiting
from wallets.ledger.posting import Pairs
from wallets.models import Claim, CostTicket, Wallet
from wallets.tenancy import Actor
from wallets.tickets.deciding import check_note, decided_already, require_decision
from wallets.tickets.standing import live_waiters, of

MOST_SERVED = 200
"""Waiters that one approval reserves for; those behind them ask again by themselves."""
STILL = frozenset({"contention", "exhausted"})


def approve(
    *, actor: Actor, ticket: CostTicket, amount: int | None = None, note: str = "",
    claim: Claimed | None = None,
) -> CostTicket:  # fmt: skip
    """Move ``amount`` nano-dollars (default: what is missing now) from the wallet above, and hold
    for those who wait, oldest first: one ledger batch, all or nothing.

    A waiter that has left takes nothing: the money stays in the wallet for its retry. Where others
    go on waiting because ``amount`` was too little, the ticket stays open for what is still
    missing. Answers the ticket as it is then.

    Raises Forbidden, NotFound, InvalidInput, Conflict (``ticket_closed``; ``top_up_needed`` on the
    organisation wallet), InsufficientFunds, InDebt, BalanceLimit, KeyReused; then nothing has
    changed.
    """
    require_decision(actor, ticket)
    check_note(note)
    if not _repeated(ticket, claim):
        approval = _Approval(actor, ticket, amount, note, claim)
        try:
            approval.carry_out()
        except Conflict:
            # The same call may have been under way twice.
            if not _repeated(ticket, claim):
                raise
    ticket.refresh_from_db()
    return ticket


def _repeated(ticket: CostTicket, claim: Claimed | None) -> bool:
    """Whether this very call succeeded before; raises KeyReused where it was another one."""
    if claim is None or not Claim.objects.filter(pk=claim.key, result__isnull=False).exists():
        return False
    ledger.post_one(Note(organization_id=ticket.organization_id, claim=claim))
    return True


class _Approval:
    """One attempt to approve."""

    def __init__(
        self, actor: Actor, ticket: CostTicket, amount: int | None, note: str, claim: Claimed | None
    ) -> None:
        self._actor, self._ticket, self._note = actor, ticket, note
        # Whoever approves may look at an old page.
        ticket.refresh_from_db(fields=["state", "needed"])
        self._wallet = Wallet.objects.select_related("parent").get(pk=ticket.wallet_id)
        ticket.wallet = self._wallet
        self._amount = of(ticket).missing if amount is None else amount
        self._given = amount is not None
        self._claim = claim
        self._veto: Refused | None = None
        self._operations: list[Operation] = []

    def carry_out(self) -> None:
        """Post the batch; raises what kept it from being done as a whole."""
        source = self._source()
        self._check(source)
        self._operations = [self._funding(source), *self._holds()]
        results = ledger.post(self._operations, alongside=self._decide)
        if self._veto is not None:
            raise self._veto
        results[0].unwrap()

    def _source(self) -> Wallet:
        if self._ticket.state != CostTicket.State.OPEN:
            raise decided_already(self._ticket)
        if self._wallet.parent is None:
            raise Conflict(
                "This ticket is on the organization wallet, which no wallet above can help: top it "
                "up instead.",
                code="top_up_needed",
            )
        return self._wallet.parent

    def _check(self, source: Wallet) -> None:
        """Refuse early what the ledger would refuse; it looks again under the lock."""
        if not (0 if not self._given else 1) <= self._amount <= money.nanos(money.MAX_AMOUNT):
            raise InvalidInput("amount", "must be more than 0 and at most 10,000,000 US dollars.")
        if not source.debt and source.available < self._amount:
            raise InsufficientFunds(
                "The wallet above does not have that much available.",
                amount=self._amount, balances={source.pk: source.balance},
            )  # fmt: skip

    def _funding(self, source: Wallet) -> Operation:
        """The transfer; where nothing is missing any more, only the claim."""
        organization_id, actor = self._ticket.organization_id, self._actor.public_id
        if not self._amount:
            return Note(organization_id=organization_id, actor=actor, claim=self._claim)
        leg = Leg(
            source=allocations.ref(source), target=allocations.ref(self._wallet),
            amount=self._amount,
        )  # fmt: skip
        return Transfer(
            organization_id=organization_id, actor=actor, claim=self._claim, id=ids.uuid7(),
            legs=(leg,), notes=f"cost ticket {self._ticket.public_id}",
        )  # fmt: skip

    def _holds(self) -> list[Reserve]:
        """What the waiters ask for, oldest first, as far as the money goes: on this wallet only,
        once it has come.
        """
        return list(_fitting(self._ticket, self._wallet, self._amount))

    def _decide(self, pairs: Pairs) -> None:
        """Decide the ticket in the ledger's transaction; a batch that was split is undone."""
        if len(pairs) != len(self._operations):
            self._refuse(LedgerUnavailable("The wallets are busy; try again."))
        funding, result = pairs[0]
        if result.refusal is not None:
            self._refuse(result.refusal)
        served = [held.reservation for _, held in pairs[1:] if held.ok]
        state = self._state_after()
        found = CostTicket.objects.filter(pk=self._ticket.pk, state=CostTicket.State.OPEN).update(
            approved_amount=Coalesce(F("approved_amount"), Value(0)) + self._amount,
            served=F("served") + len(served),
            note=self._note,
            **(self._decided() if state == CostTicket.State.APPROVED else {}),
        )
        if not found:
            self._refuse(decided_already(self._ticket))
        self._write_down(funding, served, state)

    def _state_after(self) -> str:
        """Open as long as somebody waits for more than has come; the ledger's rows are written."""
        self._ticket.wallet = Wallet.objects.get(pk=self._wallet.pk)
        left = of(self._ticket)
        short = left.waiting > 0 and left.missing > 0
        return CostTicket.State.OPEN if short else CostTicket.State.APPROVED

    def _decided(self) -> dict[str, Any]:
        return {
            "state": CostTicket.State.APPROVED,
            "decided_by": self._actor.public_id,
            "decided_at": timezone.now(),
        }

    def _refuse(self, refusal: Refused) -> None:
        """The first reason is the one that counts: what follows are parts of the same batch."""
        self._veto = self._veto or refusal
        raise self._veto

    def _write_down(self, funding: Operation, served: list[UUID | None], state: str) -> None:
        ticket, actor = self._ticket, self._actor
        after = {"amount": money.token(self._amount), "wallet": self._wallet.public_id}
        audit.record(
            organization=ticket.organization, actor=actor.public_id, action="ticket.approve",
            target=ticket.public_id, before={"state": "open"}, address=actor.address,
            after={"state": str(state), **after, "served": len(served), "note": self._note},
        )  # fmt: skip
        if isinstance(funding, Transfer):
            audit.record(
                organization=ticket.organization, actor=actor.public_id, address=actor.address,
                action="wallet.allocation", target=self._wallet.public_id,
                after={"amount": after["amount"], "transfer": str(funding.id)},
            )  # fmt: skip


def going_on(ticket: CostTicket, amount: int) -> int:
    """How many of those who wait now (``ticket`` with its wallet) ``amount`` would let go on."""
    return sum(1 for _ in _fitting(ticket, ticket.wallet, amount))


def _fitting(ticket: CostTicket, wallet: Wallet, amount: int) -> Iterator[Reserve]:
    """The holds that fit once ``amount`` has come into the wallet, oldest first."""
    left = wallet.balance + amount
    for waiter in live_waiters([ticket.pk])[:MOST_SERVED]:
        asked = waiting.reserve_of(waiter)
        own = tuple(c for c in asked.candidates if c.wallet.id == wallet.pk)
        left -= asked.amount
        if left < 0 or not own:
            break
        # Somebody may still be faster: then the waiter keeps its place.
        place = Waiting(reasons=STILL, process=waiter.process)
        yield replace(asked, candidates=own, waiting=place, last=True)
