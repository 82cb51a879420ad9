"""Who pays for a request: the hold before it is sent."""

import os
import socket
import time
from dataclasses import replace

from gateway.proxy import admission, errors, refusals
from gateway.proxy.call import Call
from gateway.proxy.errors import Rejected
from gateway.proxy.spending import SpendingBook
from gateway.settlement import Settlement
from gateway.snapshot import Snapshot
from gateway.snapshot.cards import Settings
from gateway.waiting import standing
from gateway.waiting.places import Place
from gateway.waiting.room import Room
from wallets.errors import LedgerUnavailable, Refused
from wallets.ledger import Reserve, Result, Waiting

PROCESS = f"{socket.gethostname()}:{os.getpid()}"


class Paying:
    """Takes the holds of requests, and lets them wait where waiting may help."""

    def __init__(self, settlement: Settlement, spending: SpendingBook) -> None:
        self._spending = spending
        self._room = Room(settlement)
        self._waiting: dict[Place, Call] = {}

    async def start(self) -> None:
        """Open what it needs; called on the running event loop."""

    async def close(self) -> None:
        """Close it again, after the last request."""
        await self._room.close()

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
        """Hold what the request can cost; ``call.paying`` is the wallet then, None where nothing
        has to be held. Raises ``Rejected``; a refusal has written its event.
        """
        assert call.admission is not None
        if call.admission.hold == 0:
            return
        operation = admission.reserve(call, call.admission)
        call.holding()
        result = await self._decided(call, operation)
        if result.refusal is not None:
            call.refused()
            raise await self._told(call, result.refusal)
        call.held_by(result)

    async def _decided(self, call: Call, operation: Reserve) -> Result:
        """The ledger's answer, after waiting where the settings allow it; never unavailable."""
        waiting = None if self._room.full else _waiting(call.caller.settings)
        try:
            result = await self._room.ask(replace(operation, waiting=waiting))
            if result.waits:
                result = await self._wait(call, replace(operation, waiting=waiting), result)
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

    async def _told(self, call: Call, refusal: Refused) -> Rejected:
        spending = None
        if refusals.is_about_money(refusal):
            spending = await self._spending.of(call.caller.team.id)
        return refusals.of(call, refusal, spending)


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
