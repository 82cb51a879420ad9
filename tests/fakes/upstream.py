"""A real HTTP server that speaks the APIs of OpenAI and Anthropic, with programmable behaviour.

It runs in a thread of its own. ``upstream.behave(...)`` sets how the next requests are answered,
``upstream.once(...)`` how one of them is, before the others; ``upstream.requests`` has what
arrived. A ``Gate`` holds an answer back until the test opens it.
"""

import asyncio
import json
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import web

from tests.fakes import dialects

Usage = dict[str, Any]

PATIENCE_SECONDS = 30


@dataclass(frozen=True)
class Recorded:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        """The JSON of the body."""
        return json.loads(self.raw)  # type: ignore[no-any-return]


class Gate:
    """Opened once, by any thread; the server waits at it."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.reached = threading.Event()

    def open(self) -> None:
        """Let everybody through."""
        self._event.set()

    async def passed(self) -> None:
        """Wait until it is open."""
        self.reached.set()
        await asyncio.to_thread(self._event.wait, PATIENCE_SECONDS)


@dataclass(frozen=True)
class Behaviour:
    """How a request is answered.

    ``usage``: what is reported, None for nothing, or a function of the request body.
    ``cut_after``: the connection breaks after that many parts of the answer; ``reset``: before the
    status. ``gate``: held back before the status; ``gate_after``: (parts, gate) held back after
    that many parts of a stream. ``events``: a stream's, in place of the usual ones.
    """

    words: tuple[str, ...] = ("Clouds", " drift", " by")
    usage: Usage | Callable[[dict[str, Any]], Usage] | None = field(
        default_factory=lambda: {"prompt_tokens": 14, "completion_tokens": 25, "total_tokens": 39}
    )
    status: int = 200
    error: Any = None
    raw: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut_after: int | None = None
    reset: bool = False
    gate: Gate | None = None
    gate_after: tuple[int, Gate] | None = None
    done: bool = True
    events: tuple[bytes, ...] | None = None


class FakeUpstream(AbstractContextManager["FakeUpstream"]):
    """The server; ``url`` is its base URL and ends in ``/v1``."""

    def __init__(self) -> None:
        self.requests: list[Recorded] = []
        self.behaviour = Behaviour()
        self._first: deque[Behaviour] = deque()
        self.url = ""
        self.disconnected = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def behave(self, **changes: Any) -> None:
        """Answer from now on as by default, with ``changes``."""
        self.behaviour = replace(Behaviour(), **changes)

    def once(self, **changes: Any) -> None:
        """Answer one request so, after those for which this was said before."""
        self._first.append(replace(Behaviour(), **changes))

    def __enter__(self) -> "FakeUpstream":
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the fake upstream did not start")
        return self

    def __exit__(self, *_exception: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        runner = self._loop.run_until_complete(self._start())
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        pending = asyncio.all_tasks(self._loop)
        for task in pending:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        self._loop.close()

    async def _start(self) -> web.AppRunner:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{tail:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        self.url = f"http://127.0.0.1:{port}/v1"
        return runner

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        recorded = Recorded(request.path, dict(request.headers), raw)
        self.requests.append(recorded)
        plan = self._first.popleft() if self._first else self.behaviour
        if plan.reset:
            _break(request)
            return web.Response()
        if plan.delay:
            await asyncio.sleep(plan.delay)
        if plan.gate is not None:
            await plan.gate.passed()
        if plan.raw is not None:
            return web.Response(
                body=plan.raw,
                status=plan.status,
                headers={"content-type": "application/json", **plan.headers},
            )
        if plan.status != 200:
            return web.json_response(plan.error, status=plan.status, headers=plan.headers)
        if recorded.body.get("stream"):
            return await self._stream(request, recorded.body, plan)
        return await self._plain(request, recorded.body, plan)

    async def _plain(
        self, request: web.Request, body: dict[str, Any], plan: Behaviour
    ) -> web.StreamResponse:
        usage = _usage(body, plan)
        answer = dialects.answer(request.path, body, plan.words, usage) or _completion(body, plan)
        if plan.cut_after is None:
            return web.json_response(answer, headers=plan.headers)
        response = web.StreamResponse(headers={"content-type": "application/json"})
        response.content_length = 1_000_000
        await response.prepare(request)
        await response.write(json.dumps(answer).encode()[:20])
        _break(request)
        return response

    async def _stream(
        self, request: web.Request, body: dict[str, Any], plan: Behaviour
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream", **plan.headers})
        await response.prepare(request)
        try:
            for number, event in enumerate(_said(request.path, body, plan)):
                if plan.cut_after == number:
                    _break(request)
                    return response
                if plan.gate_after is not None and plan.gate_after[0] == number:
                    await plan.gate_after[1].passed()
                await response.write(event)
        except ConnectionError:
            self.disconnected += 1
        return response


def _said(path: str, body: dict[str, Any], plan: Behaviour) -> Sequence[bytes]:
    if plan.events is not None:
        return plan.events
    known = dialects.events(path, body, plan.words, _usage(body, plan))
    return _events(body, plan) if known is None else known


def _break(request: web.Request) -> None:
    assert request.transport is not None
    request.transport.abort()


def _usage(body: dict[str, Any], plan: Behaviour) -> Usage | None:
    return plan.usage(body) if callable(plan.usage) else plan.usage


def _completion(body: dict[str, Any], plan: Behaviour) -> dict[str, Any]:
    answer = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": body.get("model"),
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "".join(plan.words)},
                "finish_reason": "stop",
            }
        ],
    }
    usage = _usage(body, plan)
    return answer if usage is None else answer | {"usage": usage}


def _events(body: dict[str, Any], plan: Behaviour) -> list[bytes]:
    wanted = (body.get("stream_options") or {}).get("include_usage")
    frame = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": body.get("model"),
    }
    if wanted:
        frame["usage"] = None
    parts = [
        frame | {"choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]}
        for word in plan.words
    ]
    parts.append(frame | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    usage = _usage(body, plan)
    if wanted and usage is not None:
        parts.append(frame | {"choices": [], "usage": usage})
    lines = [f"data: {json.dumps(part, separators=(',', ':'))}\n\n".encode() for part in parts]
    return [*lines, b"data: [DONE]\n\n"] if plan.done else lines
