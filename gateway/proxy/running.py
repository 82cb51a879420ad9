"""The requests that are being served: their heartbeats, and their end when they are cut."""

import asyncio
import time

from gateway.proxy import admission, hidden
from gateway.proxy.call import DISCONNECTED, HEARTBEAT_SECONDS, Call
from gateway.proxy.life import Life
from gateway.snapshot import Snapshot

BEAT_EVERY_SECONDS = 5.0
MAX_DRAINS = 256
DRAIN_SECONDS, HIDDEN_DRAIN_SECONDS = 120.0, 600.0
"""How long the rest of a stream is read; longer where only its end says what it costs."""
LAST_SECONDS = 5.0


class Running:
    """Tasks of requests. A task belongs to this registry, not to the client's connection."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._calls: set[Call] = set()
        self._draining: dict[Call, asyncio.TimerHandle] = {}
        self._beats: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._calls)

    def calls(self) -> list[Call]:
        """The requests as they are now."""
        return list(self._calls)

    @property
    def draining(self) -> int:
        """Streams that are read to their end without a client."""
        return len(self._draining)

    def start(self) -> None:
        """Begin the heartbeats; call it from the running event loop."""
        self._beats = asyncio.create_task(self._beat())

    def begin(self, call: Call) -> "asyncio.Task[None]":
        """Serve a request in a task that survives its client."""
        call.task = task = asyncio.create_task(self._life.lead(call))
        call.on_stall = self.left
        self._calls.add(call)
        task.add_done_callback(lambda _: self._end(call))
        return task

    def _end(self, call: Call) -> None:
        self._calls.discard(call)
        deadline = self._draining.pop(call, None)
        if deadline is not None:
            deadline.cancel()

    def left(self, call: Call) -> None:
        """The client is gone: a stream is read to its end where there is room, else cut."""
        call.leave()
        if call not in self._calls or not call.streamed:
            return
        if len(self._draining) >= MAX_DRAINS or call.stops_on_disconnect:
            call.stop(DISCONNECTED)
            return
        loop = asyncio.get_running_loop()
        patience = HIDDEN_DRAIN_SECONDS if hidden.runs(call) else DRAIN_SECONDS
        self._draining[call] = loop.call_later(patience, call.stop, DISCONNECTED)

    def cut(self, snapshot: Snapshot) -> None:
        """End what a stop switch with ``cut`` stops."""
        callers = {
            (caller.consumer, caller.group_name): caller.stop
            for caller in snapshot.callers.values()
            if caller.cut
        }
        for call in list(self._calls):
            card = callers.get((call.caller.consumer, call.caller.group_name))
            card = card or admission.cutting(call, snapshot)
            if card is not None:
                call.stop("stopped", card)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_EVERY_SECONDS)
            due = time.monotonic() - HEARTBEAT_SECONDS
            for call in list(self._calls):
                if call.beaten_at <= due:
                    call.beat()

    async def close(self) -> None:
        """Give what runs a moment, cut the rest, and wait until every hold is on its way back."""
        if self._beats is not None:
            self._beats.cancel()
        tasks = [call.task for call in self._calls if call.task is not None]
        if not tasks:
            return
        await asyncio.wait(tasks, timeout=LAST_SECONDS)
        for call in list(self._calls):
            call.stop("shutdown")
        await asyncio.wait(tasks, timeout=LAST_SECONDS)
