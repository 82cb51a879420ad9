"""The waiting room of a process: holds that found no money are asked for again when there is some.

A settle of this process calls those whom it frees money for at once; what others free, and money
that comes in, is seen by looking at the wallets four times a second. The room only decides when to
ask: who gets the money is decided in the ledger, under the wallet's lock. While nobody waits there
is no task, no thread at work and no statement.
"""

import asyncio
import logging
import time
from bisect import insort
from collections.abc import Iterable, Mapping
from dataclasses import replace
from uuid import UUID

from gateway.settlement import Answer, Item, Settlement
from gateway.waiting.places import Place
from gateway.waiting.watch import Seen, Watch
from wallets.errors import LedgerUnavailable
from wallets.ledger import Extend, Reserve, Result

log = logging.getLogger(__name__)

MOST_PLACES = 5_000
"""In one process; whoever comes then is decided at once."""
LOOK_EVERY, RENEW_EVERY = 0.25, 1.0
"""Seconds."""
ASK_SECONDS = 10.0
PATIENCE = 2.0
"""Seconds after which the ledger lets no smaller hold pass; the room calls none either."""


class Room:
    """Those who wait in this process. Its methods belong to the event loop's thread."""

    def __init__(self, settlement: Settlement) -> None:
        self._settlement = settlement
        self._watch = Watch()
        self._places: dict[UUID, Place] = {}
        self._lines: dict[int, list[Place]] = {}
        self._looking: asyncio.Task[None] | None = None
        self._renewed_at = 0.0
        self._last_seen: Mapping[int, int] = {}

    def __len__(self) -> int:
        return len(self._places)

    @property
    def full(self) -> bool:
        """Whether nobody else finds a place."""
        return len(self._places) >= MOST_PLACES

    async def ask(self, operation: Reserve | Extend) -> Result:
        """The ledger's answer now; raises ``LedgerUnavailable``, ``TimeoutError``."""
        async with asyncio.timeout(ASK_SECONDS):
            return await self._settlement.submit(operation)

    async def outcome(self, place: Place, result: Result) -> Result:
        """The answer after ``result``, which said: wait. It says so no more.

        At the end of its time a place is asked for once more and decided. Raises as ``ask``, and
        what the place was ended with: then the caller gives its hold back, there may be one.
        """
        self._enter(place, result)
        try:
            while result.waits:
                in_time = await place.called()
                last = replace(place.operation, waiting=None)
                result = await self.ask(place.operation if in_time else last)
                if place.error is not None:
                    raise place.error
                if in_time and isinstance(result.refusal, LedgerUnavailable):
                    # A wallet that is locked for long is no answer yet.
                    result = Result(state="waiting", wallet_id=place.line)
                if result.waits:
                    place.answered(result)
            return result
        finally:
            self._leave(place)

    def _enter(self, place: Place, result: Result) -> None:
        self._places[place.id] = place
        for wallet_id in place.wallets:
            insort(self._lines.setdefault(wallet_id, []), place, key=lambda other: other.turn)
        place.answered(result)
        self._settlement.freed = self._freed
        if self._looking is None:
            self._renewed_at = time.monotonic()
            self._looking = asyncio.create_task(self._look_around())

    def _leave(self, place: Place) -> None:
        self._places.pop(place.id, None)
        for wallet_id in place.wallets:
            line = self._lines[wallet_id]
            line.remove(place)
            if not line:
                del self._lines[wallet_id]
        if not self._places:
            self._settlement.freed = None

    def end_all(self, error: Exception) -> None:
        """Nobody waits any longer."""
        for place in list(self._places.values()):
            place.end(error)

    async def close(self) -> None:
        """After the last request."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait((self._looking,))
        await self._watch.close()

    # Whose turn it may be

    def _freed(self, answers: Iterable[tuple[Item, Answer]]) -> None:
        """A batch of this process is written: call those who fit into what it left."""
        left: dict[int, int] = {}
        for item, answer in answers:
            if not isinstance(answer, Result):
                continue
            place = self._places.get(getattr(item.operation, "id", None))  # type: ignore[arg-type]
            if place is not None and answer.waits:
                place.asking = False
            # Without entries the balance is no news, or not known.
            if answer.wallet_id is not None and answer.seqs:
                left[answer.wallet_id] = answer.balance
        self._call(left)

    def _call(self, left: Mapping[int, int], *, again: frozenset[int] | None = None) -> None:
        """Call as many as fit into what is ``left``, the oldest first.

        ``again``: the wallets on which something has changed; None: all of them. Where nothing has,
        a place is called once a second: it may be behind others, or kept off by a cap.
        """
        now = time.monotonic()
        for wallet_id, available in left.items():
            for place in self._lines.get(wallet_id, ()):
                if place.amount > available:
                    if _keeps_its_place(place, wallet_id, now):
                        break
                    continue
                rested = now - place.asked_at >= RENEW_EVERY
                if place.asking or again is None or wallet_id in again or rested:
                    available -= place.amount
                    if not place.asking:
                        place.call()

    # What happens elsewhere

    async def _look_around(self) -> None:
        try:
            while self._places:
                await asyncio.sleep(LOOK_EVERY)
                await self._look()
        finally:
            self._looking = None
            self._last_seen = {}
            self._watch.rest()

    async def _look(self) -> None:
        asleep = {id: place.asked_at for id, place in self._places.items() if not place.asking}
        renews = time.monotonic() - self._renewed_at >= RENEW_EVERY
        if renews:
            self._renewed_at = time.monotonic()
        seen = await self._watch.look(list(self._places), list(self._lines), renews=renews)
        if seen is None:
            return
        self._call_missing(asleep, seen)
        before, self._last_seen = self._last_seen, seen.available
        changed = (id for id, amount in seen.available.items() if before.get(id) != amount)
        self._call(seen.available, again=frozenset(changed))

    def _call_missing(self, asleep: Mapping[UUID, float], seen: Seen) -> None:
        """Whoever was served by an approval, was dismissed, or lost its place asks again."""
        for id, asked_at in asleep.items():
            place = self._places.get(id)
            gone = id not in seen.places or seen.places[id]
            if place is not None and gone and not place.asking and place.asked_at == asked_at:
                place.call()


def _keeps_its_place(place: Place, wallet_id: int, now: float) -> bool:
    """Whether the ledger lets no younger hold on this wallet pass it."""
    return (
        place.line == wallet_id
        and isinstance(place.operation, Reserve)
        and place.contended
        and now - place.began > PATIENCE
    )
