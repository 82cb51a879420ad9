"""Who pays for a request: the hold before it is sent, and what happens where nobody can."""

import os
import socket
import time
from dataclasses import replace

from gateway.proxy import admission, errors, refusals, slices, unpaid
from gateway.proxy.call import Call
from gateway.proxy.errors import Rejected
from gateway.proxy.shadow import ShadowBook
from gateway.proxy.spending import SpendingBook
from gateway.settlement import Settlement
from gateway.snapshot import Snapshot
from gateway.snapshot.cards import Settings
from gateway.waiting import standing
from gateway.waiting.places import Place
from gateway.waiting.room import Room
from gateway.waiting.tickets import TicketBook
from wallets.errors import InsufficientFunds, LedgerUnavailable, Refused
from wallets.ledger import Reserve, Result, Waiting
from wallets.tickets import Shortage

PROCESS = f"{socket.gethostname()}:{os.getpid()}"


class Paying:
    """Takes the holds of requests, and lets them wait where waiting may help."""

    def __init__(self, settlement: Settlement, spending: SpendingBook) -> None:
        self._spending = spending
        self._room = Room(settlement)
        self._tickets = TicketBook()
        self._shadow = ShadowBook()
        self._waiting: dict[Place, Call] = {}

    @property
    def waiting(self) -> int:
        """Requests that wait for money now."""
        return len(self._room)

    async def start(self) -> None:
        """Open what it needs; called on the running event loop."""

    async def close(self) -> None:
        """Close it again, after the last request."""
        await self._room.close()
        await self._tickets.close()

    def end_waiting(self) -> None:
        """The process shuts down: nobody waits any longer."""
        self._room.end_all(errors.unavailable("The gateway is restarting.", code="shutdown"))

    def check_waiting(self, snapshot: Snapshot) -> None:
        """Refuse those who wait and may not go on by what is known now."""
        for place, call in list(self._waiting.items()):
            refusal = standing.refusal(call, snapshot)
            if refusal is not None:
                place.end(refusal)

    async def reserve(self, call: Call) -> None:
        """Hold what the request can cost, or the beginning of it where the hold may grow
        (``call.slices``). ``call.paying`` is the wallet then, None where nothing has to be held.

        Raises ``Rejected``; a refusal has written its event.
        """
        assert call.admission is not None
        slices.check_header(call)
        if call.caller.settings.enforcement == "shadow":
            await self._shadow.judge(call)
        if call.admission.hold == 0:
            return
        plan = slices.steps(call)
        operation = _hold(call, plan)
        call.holding()
        result = await self._decided(call, operation)
        if result.refusal is not None:
            await self._without(call, operation, result.refusal)
            return
        call.held_by(result)
        call.event.hold = result.amount
        if plan is not None:
            call.slices = slices.Growing(call, plan, self._room, self._ticket_of_cut)

    async def _decided(self, call: Call, operation: Reserve) -> Result:
        """The ledger's answer, after waiting where the settings allow it; never unavailable."""
        waiting = None if self._room.full else _waiting(call.caller.settings)
        operation = replace(operation, waiting=waiting) if waiting is not None else operation
        try:
            result = await self._room.ask(operation)
            if result.waits:
                result = await self._wait(call, operation, result)
        except LedgerUnavailable as refusal:
            raise refusals.of(call, refusal, None) from refusal
        except TimeoutError as error:
            raise errors.unavailable("The wallets did not answer in time; try again.") from error
        if isinstance(result.refusal, LedgerUnavailable):
            raise refusals.of(call, result.refusal, None)
        return result

    async def _wait(self, call: Call, operation: Reserve, result: Result) -> Result:
        place = Place(
            operation=operation,
            wallets=tuple(candidate.wallet.id for candidate in operation.candidates),
            until=time.monotonic() + _patience(call.caller.settings),
            details=call.event.details,
            told=lambda result: self._note_waiter(call, operation, result),
        )
        self._waiting[place], call.waiting = call, place.end
        for tell in call.at_wait:
            tell(call)
        if call.gone:
            call.leave()
        try:
            return await self._room.outcome(place, result)
        finally:
            call.waiting = None
            del self._waiting[place]

    def _note_waiter(self, call: Call, operation: Reserve, result: Result) -> None:
        if result.reason == "exhausted":
            shortage = _shortage(call, operation.amount, result.balance)
            self._tickets.note(replace(shortage, waiter=operation.id))

    async def _without(self, call: Call, operation: Reserve, refusal: Refused) -> None:
        """No hold: the request goes on unpaid where the policy lets it, else it is refused."""
        if isinstance(refusal, InsufficientFunds) and await unpaid.warned(
            call, operation, refusal, self._decided_at_once
        ):
            return
        if operation.attachment is not None:
            call.refused(refusal.status, refusal.code)
        raise await self._told(call, operation, refusal)

    async def _decided_at_once(self, operation: Reserve) -> Result:
        try:
            return await self._room.ask(operation)
        except (LedgerUnavailable, TimeoutError) as error:
            raise errors.unavailable("The wallets cannot be reached now; try again.") from error

    async def _told(self, call: Call, operation: Reserve, refusal: Refused) -> Rejected:
        shortage, dismissed = None, False
        if isinstance(refusal, InsufficientFunds):
            own = operation.candidates[0].wallet.id
            shortage = _shortage(call, operation.amount, refusal.details["balances"].get(own, 0))
            dismissed = refusal.details.get("dismissed", False)
            if not dismissed:
                self._tickets.note(shortage)
        spending = None
        if refusals.is_about_money(refusal):
            spending = await self._spending.of(call.caller.team.id)
        if shortage is not None:
            ask = self._tickets.dismissed if dismissed else self._tickets.ticket_of
            refusal.details["ticket"] = await ask(shortage)
        return refusals.of(call, refusal, spending)

    async def _ticket_of_cut(self, call: Call, refusal: InsufficientFunds) -> str | None:
        """A stream ends in the middle: what was missing for the worst case of its answer."""
        assert call.admission is not None and call.caller.wallet is not None
        own = call.caller.wallet.id
        held = call.held if call.paying == own else 0
        balance = refusal.details["balances"].get(own, 0) + held
        shortage = _shortage(call, call.admission.worst, balance)
        self._tickets.note(shortage)
        return await self._tickets.ticket_of(shortage)


def _hold(call: Call, plan: slices.Steps | None) -> Reserve:
    """What is asked of the ledger. A refusal writes the event, but where the request may go on
    all the same.
    """
    assert call.admission is not None
    operation = admission.reserve(call, call.admission)
    if plan is not None:
        operation = replace(operation, amount=plan.hold(plan.slice), prefers=operation.amount)
    if unpaid.warns(call):
        operation = replace(operation, attachment=None)
    return operation


def _shortage(call: Call, needed: int, balance: int) -> Shortage:
    """What the caller's own wallet is short of where ``needed`` was asked for, for its ticket."""
    wallet = call.caller.wallet
    assert wallet is not None
    return Shortage(
        organization_id=call.caller.organization_id,
        team_id=call.caller.team.id,
        user_id=wallet.user_id,
        wallet_id=wallet.id,
        needed=needed,
        missing=max(0, needed - max(0, balance)),
        request_id=call.id,
        at=call.now,
    )


def _waiting(settings: Settings) -> Waiting | None:
    """What a request of these settings may wait for."""
    reasons = set()
    if settings.contention_wait > 0:
        reasons.add("contention")
    if _holds(settings):
        reasons.add("exhausted")
    return Waiting(reasons=frozenset(reasons), process=PROCESS) if reasons else None


def _holds(settings: Settings) -> bool:
    return settings.on_exhausted == "hold" and settings.hold_timeout > 0


def _patience(settings: Settings) -> float:
    """Seconds. Who waits for money to come waits for others as well meanwhile."""
    held = settings.hold_timeout if _holds(settings) else 0.0
    return max(settings.contention_wait, held)
