"""The keys this process works with: one thread with a connection of its own writes their rows.

A claim need not be flushed to disk: the hold that follows it is, and everything before it with it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import InterfaceError, OperationalError

from gateway import connections
from gateway.idempotency import claims
from gateway.idempotency.claims import Claim, Outcome, OwnedKey

log = logging.getLogger(__name__)

T = TypeVar("T")

PATIENCE_SECONDS = 5.0
RENEW_SECONDS = 15.0
MOST_WAITING = 1_000
CONNECTION: Mapping[str, str | int] = {
    "lock_timeout": 2_000,
    "statement_timeout": 4_000,
    "synchronous_commit": "off",
}


class Busy(Exception):
    """Too many claims wait for the database."""


class Registry:
    """Claims keys and keeps those of running requests alive. Belongs to the event loop."""

    def __init__(self) -> None:
        self._thread: ThreadPoolExecutor | None = None
        self._owned: dict[str, OwnedKey] = {}
        self._waiting = 0
        self._renewing: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._owned)

    async def start(self) -> None:
        """Start the renewals; the thread and its connection come with the first key."""
        self._renewing = asyncio.create_task(self._renew())

    async def close(self) -> None:
        """End the thread; keys that are still owned run out with their leases."""
        if self._renewing is not None:
            self._renewing.cancel()
        if self._thread is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, connections.drop)
            self._thread.shutdown(wait=False)

    async def claim(self, wanted: Claim) -> tuple[Outcome, OwnedKey | None]:
        """Take a key. Raises a database error, ``TimeoutError`` or ``Busy``; then, and when it is
        cancelled, the key is given up again whatever became of the claim.
        """
        if self._waiting >= MOST_WAITING:
            raise Busy
        self._waiting += 1
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                outcome = await self._run(lambda: claims.claim(wanted))
        except BaseException:
            self._give_up(wanted)
            raise
        finally:
            self._waiting -= 1
        if not isinstance(outcome, claims.Claimed):
            return outcome, None
        owned = self._owned[wanted.request_id] = OwnedKey(wanted.key, wanted.request_id)
        return outcome, owned

    def ended(self, owned: OwnedKey) -> None:
        """The request has ended; its key is renewed until that is written."""
        if owned.closed:
            self._owned.pop(owned.request_id, None)

    def _run(self, work: Callable[[], T]) -> "asyncio.Future[T]":
        if self._thread is None:
            self._thread = ThreadPoolExecutor(
                1, "idempotency", initializer=lambda: connections.take(CONNECTION)
            )
        return asyncio.get_running_loop().run_in_executor(self._thread, _patiently, work)

    def _give_up(self, wanted: Claim) -> None:
        """After the claim, for the thread does one thing at a time."""
        work = self._run(lambda: claims.free([(wanted.key, wanted.request_id)]))
        work.add_done_callback(_heard)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            for owned in [owned for owned in self._owned.values() if owned.closed]:
                del self._owned[owned.request_id]
            if self._owned:
                await self._renew_now()

    async def _renew_now(self) -> None:
        owned = list(self._owned.values())
        keys, request_ids = [one.key for one in owned], [one.request_id for one in owned]
        try:
            await self._run(lambda: claims.renew(request_ids, keys))
        except Exception as error:
            log.warning("keys of running requests not renewed: %s", type(error).__name__)


def _patiently(work: Callable[[], T]) -> T:
    """A connection that broke while it was idle says nothing about the database."""
    try:
        return work()
    except (OperationalError, InterfaceError):
        connections.drop()
        return work()


def _heard(work: "asyncio.Future[None]") -> None:
    """Nobody waits for it; its lease ends in any case."""
    with contextlib.suppress(asyncio.CancelledError):
        work.exception()
