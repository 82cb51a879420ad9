"""Where requests are counted: in Redis where there is one, in this process while it is away."""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from redis import RedisError

from gateway.rates.memory import Clock, MemoryCounts, steady_clock
from gateway.rates.rules import Correction, Taken, Use
from gateway.rates.shared import PATIENCE_SECONDS, SharedCounts

log = logging.getLogger(__name__)

REST_SECONDS = 1.0
"""After a failure Redis is left alone for so long: nobody waits for it meanwhile."""
_AWAY = (RedisError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class Counted:
    """What became of a request, and who counted it. ``degraded``: this process, for want of
    Redis.
    """

    taken: Taken
    shared: bool
    degraded: bool


class Counting:
    """Never an outage: without an answer within 50 ms the process counts for itself."""

    def __init__(self, url: str, clock: Clock | None = None) -> None:
        self._shared = SharedCounts(url, clock) if url else None
        self._own = MemoryCounts(clock or steady_clock)
        self._rests_until = 0.0

    async def close(self) -> None:
        """Close the connections."""
        if self._shared is not None:
            await self._shared.close()

    async def take(self, group: str, uses: Sequence[Use]) -> Counted:
        """Count a request by all rules, or by none."""
        if self._shared is not None and time.monotonic() >= self._rests_until:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    taken = await self._shared.take(group, uses)
            except _AWAY as error:
                self._rest(error)
            else:
                return Counted(taken, shared=True, degraded=False)
        taken = await self._own.take(group, uses)
        return Counted(taken, shared=False, degraded=self._shared is not None)

    async def give(self, group: str, counted: Counted, corrections: Sequence[Correction]) -> None:
        """Correct what ``counted`` had taken, where it was counted."""
        if not counted.shared or self._shared is None:
            await self._own.give(group, corrections)
            return
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._shared.give(group, corrections)
        except _AWAY as error:
            self._rest(error)

    def _rest(self, error: Exception) -> None:
        log.warning("rate limits are counted per process: Redis: %s", type(error).__name__)
        self._rests_until = time.monotonic() + REST_SECONDS
