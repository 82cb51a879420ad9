"""Cost tickets of what wallets could not pay: written in a thread, in batches, known here for
seconds.
"""

import asyncio
import logging
import time
from collections.abc import Sequence

from django.db import Error, connections

from wallets import tickets
from wallets.tickets import Shortage

log = logging.getLogger(__name__)

KEPT_SECONDS = 5.0
"""A ticket may be decided meanwhile; then the next refusal opens another."""
PATIENCE_SECONDS = 0.5
"""A refusal waits no longer for the id of its ticket."""
PAUSE_SECONDS = 0.25
BATCH = 500
MOST_KEPT = 10_000
ATTEMPTS = 3

Key = tuple[int, int, object]


class TicketBook:
    """Writes shortages down and knows the tickets they belong to."""

    def __init__(self) -> None:
        self._pending: list[Shortage] = []
        self._known: dict[Key, tuple[float, str]] = {}
        self._written = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None

    def note(self, shortage: Shortage) -> None:
        """Have it written down soon."""
        if len(self._pending) >= MOST_KEPT:
            log.error("a refusal was not written down: too many wait to be")
            return
        self._pending.append(shortage)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())

    async def ticket_of(self, shortage: Shortage) -> str | None:
        """The id of the ticket that stands for what was noted; None where that takes too long."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (found := self._known_of(shortage)) is None and self._writing is not None:
                    await self._written.wait()
        except TimeoutError:
            return None
        return found or None

    async def dismissed(self, shortage: Shortage) -> str | None:
        """The id of the ticket whose dismissal ended this request; None where that takes too long.

        Nothing is written down: somebody has decided about this request already.
        """
        asked = asyncio.to_thread(_dismissed, shortage)
        try:
            return await asyncio.wait_for(asked, PATIENCE_SECONDS)
        except TimeoutError:
            return None

    def _known_of(self, shortage: Shortage) -> str | None:
        at, found = self._known.get(shortage.key, (0.0, ""))
        return found if found and time.monotonic() - at < KEPT_SECONDS else None

    async def _write(self) -> None:
        try:
            while self._pending:
                batch, self._pending = self._pending[:BATCH], self._pending[BATCH:]
                self._remember(batch, await asyncio.to_thread(_record, batch))
                if self._pending:
                    await asyncio.sleep(PAUSE_SECONDS)
        finally:
            self._writing = None
            self._wake()

    def _remember(self, batch: Sequence[Shortage], found: Sequence[str]) -> None:
        now = time.monotonic()
        self._known = {k: kept for k, kept in self._known.items() if now - kept[0] < KEPT_SECONDS}
        self._known.update(
            (shortage.key, (now, ticket))
            for shortage, ticket in zip(batch, found, strict=True)
            if ticket
        )
        self._wake()

    def _wake(self) -> None:
        written, self._written = self._written, asyncio.Event()
        written.set()

    async def close(self) -> None:
        """Write what is left."""
        if self._writing is not None:
            await asyncio.wait((self._writing,), timeout=PATIENCE_SECONDS)


def _record(batch: Sequence[Shortage]) -> Sequence[str]:
    """Ids in order; empty texts where the database would not have it."""
    try:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return tickets.record(batch)
            except Error as error:
                log.warning("tickets cannot be written (%d): %s", attempt, type(error).__name__)
                connections.close_all()
        return [""] * len(batch)
    finally:
        connections.close_all()


def _dismissed(shortage: Shortage) -> str | None:
    try:
        return tickets.dismissed(shortage)
    except Error as error:
        log.warning("a dismissed ticket cannot be read: %s", type(error).__name__)
        return None
    finally:
        connections.close_all()
