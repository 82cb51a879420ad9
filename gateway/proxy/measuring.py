"""Turns requests and the state of a process into metrics."""

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway import metrics
from gateway.proxy.call import Call
from gateway.settlement import Settlement
from gateway.targets import Breakers

if TYPE_CHECKING:
    from gateway.proxy.paying import Paying
    from gateway.proxy.running import Running

GAUGES_SECONDS = 1.0
_SHARE = {"closed": 1.0, "half_open": 0.5, "open": 0.0}


def observe(call: Call) -> None:
    """Count a request that has ended."""
    event, watch = call.event, call.watch
    watch.answered()
    route = event.route
    metrics.REQUESTS.labels(route, event.verdict, event.reason_code or str(event.status)).inc()
    metrics.ADDED.labels(route).observe(watch.added(event.details.get("waited_ms", 0) / 1000))
    if watch.upstream:
        metrics.UPSTREAM.labels(event.target).observe(watch.upstream)
    if event.ttfb_ms is not None:
        metrics.FIRST_BYTE.labels(route).observe(event.ttfb_ms / 1000)
    metrics.CACHE.labels(event.cache).inc()


class Gauges:
    """The state of a process, read once a second and whenever somebody asks."""

    def __init__(
        self,
        *,
        running: "Running",
        settlement: Settlement,
        paying: "Paying",
        breakers: Breakers,
        ready: Callable[[], bool],
    ) -> None:
        self._running = running
        self._settlement = settlement
        self._paying = paying
        self._breakers = breakers
        self._ready = ready
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; call it from the running event loop."""
        self._task = asyncio.create_task(self._run())

    def close(self) -> None:
        """End; what is left to see is a process that is not ready."""
        if self._task is not None:
            self._task.cancel()
        self.refresh()

    def refresh(self) -> None:
        """Read them now."""
        held = [call.watch.begun for call in self._running.calls() if call.holds]
        metrics.RUNNING.set(len(self._running))
        metrics.DRAINING.set(self._running.draining)
        metrics.OPEN_HOLDS.set(len(held))
        metrics.OLDEST_HOLD.set(time.monotonic() - min(held) if held else 0.0)
        metrics.WAITING.set(self._paying.waiting)
        for target, breaker in self._breakers:
            metrics.AVAILABLE.labels(target).set(_SHARE[breaker.state])
        metrics.QUEUE.set(self._settlement.waiting)
        metrics.READY.set(self._ready())

    async def _run(self) -> None:
        while True:
            self.refresh()
            await asyncio.sleep(GAUGES_SECONDS)
