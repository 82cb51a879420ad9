"""The ledger thread: one per process, with a database connection of its own.

Requests hand operations over and await a future; the thread posts whatever gathered while the last
batch was written. There is no timer: an idle gateway writes batches of one, a busy one large ones.

While the database is away, reserves fail at once; what closes a hold (and what only carries an
event) is kept and tried again until the database is back.
"""

import asyncio
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from gateway import connections, events, metrics
from wallets import ledger
from wallets.errors import LedgerUnavailable
from wallets.ledger import Extend, Heartbeat, Note, Operation, Refund, Reserve, Result, Settle

log = logging.getLogger(__name__)

MAX_BATCH = 256
MAX_WAITING = 10_000
MAX_KEPT_NOTES = 20_000
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
DRAIN_SECONDS = 10.0

Answer = Result | Exception


@dataclass(slots=True)
class Item:
    """An operation on its way, with the future of whoever waits for it (if anybody does)."""

    operation: Operation
    future: "asyncio.Future[Result] | None" = None


class Settlement:
    """Hands operations to the ledger thread. Its methods belong to the event loop's thread."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._kept: deque[Item] = deque()
        self._waiting = 0
        self._pause = self._busy = 0.0
        self._retry_at = 0.0
        self._closing = False
        self._deadline = float("inf")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self.available = True
        self.freed: Callable[[list[tuple[Item, Answer]]], None] | None = None
        """Hears of every batch that is written, while somebody waits for money."""

    # The event loop's side

    def start(self) -> None:
        """Start the thread; call it from the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """Operations handed over and not answered yet, kept ones included."""
        return self._waiting

    async def submit(self, operation: Operation) -> Result:
        """The ledger's answer to ``operation``, committed with its event.

        Raises ``LedgerUnavailable`` when the queue is full or, for a reserve, when the database is
        away; then a hold that was taken all the same is returned by a refund of the same id.
        """
        if not self.available and isinstance(operation, Reserve):
            raise LedgerUnavailable("The database is away; try again.")
        return await self.post(operation)

    def post(self, operation: Operation) -> "asyncio.Future[Result]":
        """Hand an operation over at once; the future may be left alone."""
        if self._waiting >= MAX_WAITING and isinstance(operation, Reserve):
            raise LedgerUnavailable("The ledger has too much to do; try again.")
        assert self._loop is not None
        future: asyncio.Future[Result] = self._loop.create_future()
        self._waiting += 1
        self._queue.put(Item(operation, future))
        return future

    async def close(self) -> None:
        """Write what is left, for at most ten seconds, and end the thread."""
        if not self._thread.is_alive():
            return
        self._deadline = time.monotonic() + DRAIN_SECONDS
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join, DRAIN_SECONDS + 1)

    def _deliver(self, answers: list[tuple[Item, Answer]]) -> None:
        self._waiting -= len(answers)
        for item, answer in answers:
            future = item.future
            if future is None or future.done():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
                # Nobody need look at it: it was logged where it happened.
                future.exception()
            else:
                future.set_result(answer)
        if self.freed is not None:
            self.freed(answers)

    # The ledger thread's side

    def _run(self) -> None:
        connections.take(connections.LEDGER)
        try:
            while not self._finished():
                self._turn()
        finally:
            connections.drop()

    def _finished(self) -> bool:
        if not self._closing:
            return False
        late = time.monotonic() >= self._deadline
        if late and self._kept:
            log.error("%d ledger operations left to the sweeper", len(self._kept))
        return late or not self._kept

    def _turn(self) -> None:
        batch = self._gather()
        if not self.available and time.monotonic() < self._retry_at:
            self._put_aside(batch)
            return
        batch = self._due_first(batch)
        if batch:
            self._post(batch)
        elif not self.available:
            self._seen() if connections.reachable() else self._away()

    def _gather(self) -> list[Item]:
        """What arrived while the last batch was written; waits for the first item."""
        items: list[Item] = []
        try:
            item = self._queue.get(timeout=self._patience())
            while True:
                if item is None:
                    self._closing = True
                else:
                    items.append(item)
                if len(items) >= MAX_BATCH:
                    break
                item = self._queue.get_nowait()
        except queue.Empty:
            pass
        return items

    def _patience(self) -> float | None:
        if self.available and not self._kept:
            return 0 if self._closing else None
        return max(0.0, self._retry_at - time.monotonic())

    def _due_first(self, batch: list[Item]) -> list[Item]:
        """Kept operations came first and go first."""
        if not self._kept or time.monotonic() < self._retry_at:
            return batch
        due = [self._kept.popleft() for _ in range(min(len(self._kept), MAX_BATCH))]
        return due + batch

    def _post(self, batch: list[Item], *, again: bool = True) -> None:
        begun = time.perf_counter()
        try:
            results = ledger.post([item.operation for item in batch], alongside=events.write)
        except LedgerUnavailable:
            if again and self.available:
                # A connection that broke while it was idle says nothing about the database.
                self._post(batch, again=False)
                return
            self._away()
            self._put_aside(batch)
        except Exception as error:
            self._one_by_one(batch, error)
        else:
            metrics.BATCH_SECONDS.observe(time.perf_counter() - begun)
            metrics.BATCH_SIZE.observe(len(batch))
            self._seen()
            self._answer(batch, results)

    def _answer(self, batch: list[Item], results: list[Result]) -> None:
        answers: list[tuple[Item, Answer]] = []
        for item, result in zip(batch, results, strict=True):
            if _too_busy(result) and not _fails_at_once(item.operation):
                self._keep(item)
            else:
                answers.append((item, result))
                _count(item.operation, result)
        # A wallet that stays locked is asked for less and less often: others wait meanwhile.
        kept = len(answers) < len(batch)
        self._busy = min(LONGEST_PAUSE, max(FIRST_PAUSE, self._busy * 2)) if kept else 0.0
        if kept:
            self._retry_at = time.monotonic() + self._busy
        self._tell(answers)

    def _one_by_one(self, batch: list[Item], error: Exception) -> None:
        """Something nobody foresaw, and no database error: find the operation it belongs to."""
        if len(batch) > 1:
            for item in batch:
                self._post([item])
            return
        item = batch[0]
        log.error("ledger operation %s failed", type(item.operation).__name__, exc_info=error)
        failure = LedgerUnavailable("The ledger could not carry this out.", code="ledger_fault")
        self._tell([(item, failure)])

    def _away(self) -> None:
        if self.available:
            log.error("the database is away: paid requests are refused until it is back")
        self.available = False
        self._pause = min(LONGEST_PAUSE, max(FIRST_PAUSE, self._pause * 2))
        self._retry_at = time.monotonic() + self._pause

    def _seen(self) -> None:
        if not self.available:
            log.warning("the database is back")
        self.available = True
        self._pause = 0.0

    def _put_aside(self, batch: list[Item]) -> None:
        """Reserves fail; their commit may be unknown, so a refund of the same id follows."""
        failed: list[tuple[Item, Answer]] = []
        for item in batch:
            operation = item.operation
            if not _fails_at_once(operation):
                self._keep(item)
                continue
            failed.append((item, LedgerUnavailable("The database is away; try again.")))
            if isinstance(operation, Reserve):
                undo = Refund(
                    id=operation.id,
                    organization_id=operation.organization_id,
                    actor=operation.actor,
                )
                self._kept.append(Item(undo))
        self._tell(failed)

    def _keep(self, item: Item) -> None:
        if isinstance(item.operation, Note) and len(self._kept) >= MAX_KEPT_NOTES:
            log.error("an event was dropped: the database is away for too long")
            self._tell([(item, LedgerUnavailable("The event could not be kept."))])
            return
        metrics.RETRIES.inc()
        self._kept.append(item)

    def _tell(self, answers: list[tuple[Item, Answer]]) -> None:
        """Wake the event loop once, whatever the size of the batch."""
        own = [(item, answer) for item, answer in answers if item.future is not None]
        if own and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._deliver, own)


def _count(operation: Operation, result: Result) -> None:
    if isinstance(operation, Settle) and result.ok and not result.replayed:
        metrics.COST.inc(result.charged)
        metrics.WRITTEN_OFF.inc(result.written_off)
    elif isinstance(operation, Note) and result.ok and operation.attachment is not None:
        metrics.WRITTEN_OFF.inc(operation.attachment.written_off)


def _fails_at_once(operation: Operation) -> bool:
    return isinstance(operation, Reserve | Extend | Heartbeat)


def _too_busy(result: Result) -> bool:
    refusal = result.refusal
    return isinstance(refusal, LedgerUnavailable) and refusal.code == "ledger_unavailable"
