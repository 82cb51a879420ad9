"""The thread that writes texts, with a connection of its own: nobody waits for it.

What cannot be written now is dropped and counted. Texts are a convenience, unlike money.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Mapping

from django.db import InterfaceError, OperationalError

from gateway import connections, metrics
from gateway.models import HistoryText

log = logging.getLogger(__name__)

MOST_WAITING = 1_000
MOST_BYTES = 64 * 1024 * 1024
"""Of texts that wait to be written; more is dropped."""
MAX_BATCH = 32
CLOSE_SECONDS = 5.0
CONNECTION: Mapping[str, str | int] = {
    "lock_timeout": 2_000,
    "statement_timeout": 5_000,
    "synchronous_commit": "off",
}

Make = Callable[[], HistoryText]
"""Makes the row of one request: it compresses and encrypts, which takes a while."""


class Writer:
    """Takes rows from the event loop and writes them. The thread starts with the first."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[tuple[Make, int] | None] = queue.SimpleQueue()
        self._waiting = self._bytes = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._failing = False

    # The event loop's side

    def offer(self, make: Make, size: int) -> bool:
        """Write a row of about ``size`` bytes soon; whether there was room for it."""
        with self._lock:
            room = self._waiting < MOST_WAITING and self._bytes + size <= MOST_BYTES
            if room:
                self._waiting += 1
                self._bytes += size
        if not room:
            self._drop(1, "too many wait to be written")
            return False
        self._queue.put((make, size))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="history", daemon=True)
            self._thread.start()
        return True

    async def close(self) -> None:
        """Write what waits, for at most five seconds."""
        if self._thread is not None:
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join, CLOSE_SECONDS)

    def _drop(self, count: int, why: str) -> None:
        metrics.HISTORY_DROPPED.inc(count)
        if not self._failing:
            self._failing = True
            log.warning("texts of requests are not kept: %s", why)

    # The thread's side

    def _run(self) -> None:
        connections.take(CONNECTION)
        try:
            while (batch := self._gather()) is not None:
                self._write([make for make, _ in batch])
                with self._lock:
                    self._waiting -= len(batch)
                    self._bytes -= sum(size for _, size in batch)
        finally:
            connections.drop()

    def _gather(self) -> list[tuple[Make, int]] | None:
        """What arrived while the last batch was written; None at the end."""
        first = self._queue.get()
        if first is None:
            return None
        batch = [first]
        try:
            while len(batch) < MAX_BATCH:
                item = self._queue.get_nowait()
                if item is None:
                    self._queue.put(None)
                    break
                batch.append(item)
        except queue.Empty:
            pass
        return batch

    def _write(self, batch: list[Make]) -> None:
        try:
            rows = [make() for make in batch]
            _patiently(rows)
        except Exception as error:
            # Whatever it was, it says nothing about the next batch; no text goes to the log.
            connections.drop()
            self._drop(len(batch), type(error).__name__)
        else:
            if self._failing:
                self._failing = False
                log.warning("texts of requests are kept again")


def _patiently(rows: list[HistoryText]) -> None:
    """A connection that broke while it was idle says nothing about the database."""
    try:
        HistoryText.objects.bulk_create(rows, ignore_conflicts=True)
    except (OperationalError, InterfaceError):
        connections.drop()
        HistoryText.objects.bulk_create(rows, ignore_conflicts=True)
