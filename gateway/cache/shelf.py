"""Django's cache for the event loop: batched reads in a thread, no waiting on a cache that is away.

Nothing here raises: a cache that cannot be reached answers None, and is left alone for a moment.
"""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from django.core.cache import caches
from django.core.cache.backends.base import BaseCache

log = logging.getLogger(__name__)

ALIAS = "responses"
PATIENCE_SECONDS = 1.0
MAX_BATCH = 32
"""Reads asked for at once: the first of many is not answered after the last."""
WRITERS = 2
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0

T = TypeVar("T")
Found = dict[str, bytes]


class Breaker:
    """Leaves a cache alone that failed: for half a second first, for half a minute at most."""

    def __init__(self) -> None:
        self._pause = 0.0
        self._until = 0.0

    @property
    def open(self) -> bool:
        """Whether the cache is not to be asked now."""
        return time.monotonic() < self._until

    def failed(self, why: str) -> None:
        """It did not answer, or with an error."""
        if self.open:
            return
        if not self._pause:
            log.warning("the response cache cannot be used, requests pass it by: %s", why)
        self._pause = min(LONGEST_PAUSE, max(FIRST_PAUSE, self._pause * 2))
        self._until = time.monotonic() + self._pause

    def worked(self) -> None:
        """It answered."""
        if self._pause:
            log.warning("the response cache can be used again")
        self._pause = self._until = 0.0


@dataclass(slots=True)
class _Read:
    names: Sequence[str]
    future: "asyncio.Future[Found | None]"


class Shelf:
    """Bytes under names, each for a number of seconds."""

    def __init__(self) -> None:
        self._breaker = Breaker()
        self._reads: queue.SimpleQueue[_Read | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._run, name="cache", daemon=True)
        self._writers = ThreadPoolExecutor(WRITERS, thread_name_prefix="cache-write")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    def start(self) -> None:
        """Begin to read; call it from the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._reader.start()

    async def close(self) -> None:
        """End the threads."""
        self._closed = True
        if self._reader.is_alive():
            self._reads.put(None)
            await asyncio.to_thread(self._reader.join, PATIENCE_SECONDS)
        self._writers.shutdown(wait=False, cancel_futures=True)

    async def read(self, *names: str) -> Found | None:
        """What is kept under ``names``; None where the cache cannot be asked."""
        if self._closed or self._breaker.open or self._loop is None:
            return None
        future: asyncio.Future[Found | None] = self._loop.create_future()
        self._reads.put(_Read(names, future))
        return await self._in_time(future)

    async def write(self, name: str, value: bytes, seconds: int) -> bool:
        """Keep ``value``; whether it is kept."""

        def work(cache: BaseCache) -> bool:
            cache.set(name, value, seconds)
            return True

        return await self._call(work) or False

    async def claim(self, name: str, value: bytes, seconds: int) -> bool | None:
        """Keep ``value`` where nothing is kept yet; None where the cache cannot be asked."""
        return await self._call(lambda cache: bool(cache.add(name, value, seconds)))

    async def renew(self, name: str, value: bytes, seconds: int) -> None:
        """Keep a claim that is still ours for longer. Claims are advice: nothing depends on the
        moment between the look and the renewal.
        """
        await self._call(
            lambda cache: cache.get(name) == value and bool(cache.touch(name, seconds))
        )

    async def release(self, name: str, value: bytes) -> None:
        """Give a claim up that is still ours."""
        await self._call(lambda cache: cache.get(name) == value and bool(cache.delete(name)))

    async def _call(self, work: Callable[[BaseCache], T]) -> T | None:
        if self._closed or self._breaker.open or self._loop is None:
            return None
        return await self._in_time(self._loop.run_in_executor(self._writers, self._guarded, work))

    async def _in_time(self, future: "asyncio.Future[T | None]") -> T | None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await future
        except TimeoutError:
            self._breaker.failed("no answer in time")
            return None

    # The threads' side

    def _guarded(self, work: Callable[[BaseCache], T]) -> T | None:
        try:
            result = work(caches[ALIAS])
        except Exception as error:
            # Whatever the backend raises: a cache is never a reason to fail.
            self._breaker.failed(type(error).__name__)
            return None
        self._breaker.worked()
        return result

    def _run(self) -> None:
        while (batch := self._gather()) is not None:
            names = list(dict.fromkeys(name for read in batch for name in read.names))
            found = self._guarded(partial(_many, names))
            self._tell(batch, found)

    def _gather(self) -> list[_Read] | None:
        """The reads that arrived while the last ones were answered; None at the end."""
        batch = []
        try:
            read = self._reads.get()
            while read is not None:
                batch.append(read)
                if len(batch) >= MAX_BATCH:
                    return batch
                read = self._reads.get_nowait()
        except queue.Empty:
            return batch
        if batch:
            self._reads.put(None)
        return batch or None

    def _tell(self, batch: Iterable[_Read], found: Found | None) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_deliver, batch, found)


def _many(names: list[str], cache: BaseCache) -> Found:
    found = cache.get_many(names)
    return {name: value for name, value in found.items() if isinstance(value, bytes)}


def _deliver(batch: Iterable[_Read], found: Found | None) -> None:
    for read in batch:
        if not read.future.done():
            read.future.set_result(found)
