"""The ASGI application of a gateway process: lifespan, routing, and the client's connection."""

import asyncio
import logging
import signal
from collections.abc import MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings
from django.db import DatabaseError

from gateway import connections, metrics, policy, tokens
from gateway.budget import BudgetWatch
from gateway.cache.stage import ResponseCache
from gateway.history.stage import History
from gateway.idempotency.stage import Idempotency
from gateway.moderation.stage import ContentFiltering
from gateway.proxy import catalogue, config, errors, identity
from gateway.proxy.call import Call
from gateway.proxy.crowd import Crowd
from gateway.proxy.errors import Rejected
from gateway.proxy.forwarding import Forwarding
from gateway.proxy.http import ClientGone, Exchange, Header, Receive, Send
from gateway.proxy.life import Life
from gateway.proxy.measuring import Gauges
from gateway.proxy.paying import Paying
from gateway.proxy.route import Route
from gateway.proxy.routes import all_routes
from gateway.proxy.routes.messages_errors import error_body
from gateway.proxy.running import LAST_SECONDS, Running
from gateway.proxy.spending import SpendingBook
from gateway.proxy.stages import Stage
from gateway.proxy.upstream import Upstream
from gateway.rates.stage import RateLimiting
from gateway.settlement import Settlement
from gateway.snapshot import Caller, Snapshot, UnusablePolicy, Watcher

log = logging.getLogger(__name__)

MODELS = "/v1/models"


class Application:
    """One gateway process. Ready once its lifespan has started."""

    def __init__(self, policy_path: Path) -> None:
        self.routes = all_routes()
        self.settlement = Settlement()
        self.upstream = Upstream()
        spending = SpendingBook()
        self.paying = Paying(self.settlement, spending)
        self.stages: list[Stage] = [
            History(),
            Idempotency(),
            RateLimiting(settings.REDIS_URL),
            ContentFiltering(self.upstream),
            ResponseCache(),
        ]
        self.forwarding = Forwarding(self.upstream, spending)
        self.running = Running(
            Life(
                stages=self.stages,
                paying=self.paying,
                forwarding=self.forwarding,
                spending=spending,
            )
        )
        self.watcher = Watcher(policy_path, on_change=self._changed)
        self.crowd = Crowd(
            most=settings.GATEWAY_MAX_REQUESTS,
            most_per_key=settings.GATEWAY_MAX_REQUESTS_PER_KEY,
            most_bytes=settings.GATEWAY_BODY_MEGABYTES * 1024 * 1024,
        )
        self.gauges = Gauges(
            running=self.running,
            settlement=self.settlement,
            paying=self.paying,
            breakers=self.forwarding.breakers,
            ready=lambda: all(self._parts().values()),
        )
        self.budgets = BudgetWatch(lambda: self.watcher.current)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = self._closing = False

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """One connection's request, or the lifespan."""
        if scope["type"] == "http":
            await self._http(Exchange(scope, receive, send))
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)

    # Lifespan

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.start()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": _reason(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def start(self) -> None:
        """Load the snapshot and start every thread and task."""
        self._loop = asyncio.get_running_loop()
        tokens.warm()
        await self.watcher.start()
        self.settlement.start()
        await self.upstream.start()
        await self.paying.start()
        for stage in self.stages:
            await stage.start()
        self.running.start()
        self.gauges.start()
        self.budgets.start()
        try:
            self._loop.add_signal_handler(signal.SIGHUP, self.watcher.reload_policy)
        except (NotImplementedError, RuntimeError, ValueError):
            log.debug("no reload by signal outside the main thread")

    def stopping(self) -> None:
        """The process is about to end: nothing new is begun, nobody waits for money any more."""
        self._stopping = True
        self.paying.end_waiting()

    async def close(self) -> None:
        """Settle what runs, write what is left, and end."""
        self._closing = self._stopping = True
        self.paying.end_waiting()
        await self.running.close()
        await self.budgets.close()
        await self.paying.close()
        await self.settlement.close()
        for stage in self.stages:
            await stage.close()
        await self.watcher.close()
        await self.upstream.close()
        await asyncio.to_thread(connections.close_pool)

    def _changed(self, snapshot: Snapshot) -> None:
        """Called in the watcher's thread."""
        loop = self._loop
        if loop is not None and not loop.is_closed() and not self._closing:
            loop.call_soon_threadsafe(self.running.cut, snapshot)
            loop.call_soon_threadsafe(self.paying.check_waiting, snapshot)

    # Requests

    async def _http(self, exchange: Exchange) -> None:
        try:
            await self._dispatch(exchange)
        except Rejected as rejected:
            body = self._error_body(exchange, rejected)
            await exchange.answer(rejected.status, rejected.headers(), body)
        except ClientGone:
            return

    def _error_body(self, exchange: Exchange, rejected: Rejected) -> bytes:
        """In the shape of the route; where there is none, in that of the client's API."""
        route = self.routes.get(exchange.path)
        if route is not None:
            return route.error_body(rejected)
        return error_body(rejected) if exchange.speaks_anthropic else rejected.body()

    async def _dispatch(self, exchange: Exchange) -> None:
        path, method = exchange.path, exchange.method
        route = self.routes.get(path)
        if route is not None:
            if method != "POST":
                raise errors.wrong_method(method, path, "POST")
            await self._complete(exchange, route)
        elif path == "/healthz":
            await self._get(exchange, 200, {"status": "ok"})
        elif path == "/readyz":
            await self._ready(exchange)
        elif path == "/keeptrusts/config":
            _, caller = self._identify(exchange)
            told = config.describe(self.watcher, caller, self.forwarding.breakers)
            await self._get(exchange, 200, told)
        elif path == "/metrics":
            self.gauges.refresh()
            kind = [(b"content-type", metrics.CONTENT_TYPE)]
            await self._read_only(exchange, 200, kind, metrics.exposition())
        elif path == MODELS or path.startswith(MODELS + "/"):
            await self._models(exchange)
        else:
            raise errors.unknown_route(method, path)

    def _identify(self, exchange: Exchange) -> tuple[Snapshot, Caller]:
        snapshot = self.watcher.current
        if snapshot is None or self._stopping:
            raise errors.unavailable("The gateway is not ready.", code="not_ready")
        now = datetime.now(UTC)
        caller = identity.identify(exchange.headers, snapshot, now)
        if caller.key_id is not None:
            self.watcher.used(caller.key_id, now)
        return snapshot, caller

    async def _complete(self, exchange: Exchange, route: Route) -> None:
        """Hand the request to a task of its own and stay with the client until either ends."""
        snapshot, caller = self._identify(exchange)
        place = self.crowd.enter(caller)
        try:
            body = await exchange.body(lambda size: self.crowd.hold(place, size))
        except BaseException:
            self.crowd.leave(place)
            raise
        self.budgets.seen(caller.team.id)
        call = Call(exchange, route, snapshot, caller, body, self.settlement)
        task = self.running.begin(call)
        task.add_done_callback(lambda _: self.crowd.leave(place))
        attendant = asyncio.current_task()
        task.add_done_callback(lambda _: _abandon(exchange, attendant))
        try:
            await exchange.gone()
        except asyncio.CancelledError:
            if not task.done():
                call.stop("shutdown")
                await asyncio.wait((task,), timeout=LAST_SECONDS)
                if not exchange.complete:
                    raise
        if not exchange.complete:
            self.running.left(call)

    async def _models(self, exchange: Exchange) -> None:
        snapshot, caller = self._identify(exchange)
        name = exchange.path[len(MODELS) + 1 :]
        if not name:
            rows = catalogue.models(snapshot, caller, datetime.now(UTC))
            await self._get(exchange, 200, {"object": "list", "data": rows})
            return
        row = catalogue.model(snapshot, caller, name)
        if row is None:
            raise errors.unknown_model(name)
        await self._get(exchange, 200, row)

    async def _ready(self, exchange: Exchange) -> None:
        """The truth: could a paid request be served now?"""
        parts = self._parts()
        ready = all(parts.values())
        state = {"status": "ok" if ready else "unavailable", **parts}
        await self._get(exchange, 200 if ready else 503, state)

    def _parts(self) -> dict[str, bool]:
        return {
            "snapshot": self.watcher.current is not None,
            "ledger": self.settlement.alive and self.settlement.available,
            "database": self.watcher.reachable,
            "serving": not self._stopping,
        }

    async def _get(self, exchange: Exchange, status: int, value: Any) -> None:
        kind = [(b"content-type", b"application/json")]
        await self._read_only(exchange, status, kind, orjson.dumps(value))

    async def _read_only(
        self, exchange: Exchange, status: int, headers: list[Header], body: bytes
    ) -> None:
        if exchange.method not in ("GET", "HEAD"):
            raise errors.wrong_method(exchange.method, exchange.path, "GET")
        await exchange.answer(status, headers, body)


def _abandon(exchange: Exchange, attendant: "asyncio.Task[None] | None") -> None:
    """The work ended without a whole answer: nothing more will come, let the connection close."""
    if not exchange.complete and attendant is not None:
        attendant.cancel()


def _reason(error: Exception) -> str:
    """One line for whoever started the gateway."""
    if isinstance(error, policy.PolicyError | UnusablePolicy):
        return f"the policy file cannot be used: {error}"
    if not isinstance(error, DatabaseError):
        log.error("the gateway cannot start", exc_info=error)
    return f"the gateway cannot start: {type(error).__name__}: {error}"
