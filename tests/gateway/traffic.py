"""Clients of every kind at the same time, who add up what they were told that it cost."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import aiohttp

from keeptrusts.lib import money
from tests.fakes import metered
from tests.fakes.hostile import Asked, Mark, Script, head, plain

COMMENT = b": keeptrusts cost="
COMMON = 20
"""So many different texts are asked for by those who ask for the same."""
PATIENCE_SECONDS = 60


@dataclass
class Tally:
    """What clients saw; ``cost`` in nano-dollars, of those who stayed to the end."""

    statuses: Counter[int] = field(default_factory=Counter)
    cost: int = 0
    left: int = 0
    lost: int = 0
    """Connections that broke before the answer was whole."""
    paid: dict[str, int] = field(default_factory=dict)
    """What each request cost that was answered to its end, by request id."""

    @property
    def requests(self) -> int:
        """All that were sent."""
        return sum(self.statuses.values()) + self.left + self.lost


class Traffic:
    """Clients of gateways at ``urls``, ``at_once`` of them; everything random is drawn from
    ``seed``.
    """

    def __init__(self, urls: list[str], key: str, *, seed: int, at_once: int) -> None:
        self.random = random.Random(seed)
        self._urls = urls
        self._headers = {"x-api-key": key}
        self._name = f"seed {seed}"
        self._room = asyncio.Semaphore(at_once)
        self._connections = at_once
        self._sent = 0
        self.tally = Tally()

    async def streams(self, count: int) -> Tally:
        """So many streams; half of their clients leave at a point drawn before."""
        points = [self.random.choice((None, self.random.randrange(8))) for _ in range(count)]
        return await self._all(self._ask("stream", leave=point) for point in points)

    async def mixed(self, count: int) -> Tally:
        """So many requests of five kinds; nobody leaves."""
        kinds = ("plain", "stream", "common", "embedding", "message")
        drawn = self.random.choices(kinds, (40, 25, 15, 10, 10), k=count)
        return await self._all(self._ask(kind) for kind in drawn)

    async def same(self, count: int) -> Tally:
        """The same plain request so many times at once."""
        body = _body("plain", f"{self._name} the same")
        return await self._all(self._once("/v1/chat/completions", body, None) for _ in range(count))

    async def _all(self, asked: Iterable[Awaitable[None]]) -> Tally:
        connector = aiohttp.TCPConnector(limit=self._connections)
        timeout = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as self._session:
            await asyncio.gather(*asked)
        return self.tally

    def _ask(self, kind: str, *, leave: int | None = None) -> Awaitable[None]:
        self._sent += 1
        text = f"{self._name} number {self._sent}"
        if kind == "common":
            text = f"{self._name} common {self.random.randrange(COMMON)}"
        path = {"embedding": "/v1/embeddings", "message": "/v1/messages"}.get(kind)
        return self._once(path or "/v1/chat/completions", _body(kind, text), leave)

    async def _once(self, path: str, body: dict[str, Any], leave: int | None) -> None:
        async with self._room:
            url = self.random.choice(self._urls) + path
            try:
                async with self._session.post(url, json=body, headers=self._headers) as answer:
                    await self._read(answer, leave)
            except (aiohttp.ClientError, OSError):
                self.tally.lost += 1

    async def _read(self, answer: aiohttp.ClientResponse, leave: int | None) -> None:
        """All of it, or as many lines as the client stays for."""
        header = answer.headers.get("x-keeptrusts-cost")
        comment = b""
        number = 0
        async for line in answer.content:
            if leave is not None and number >= leave:
                self.tally.left += 1
                answer.close()
                return
            comment = line if line.startswith(COMMENT) else comment
            number += 1
        self.tally.statuses[answer.status] += 1
        said = header or comment.removeprefix(COMMENT).split(b" ")[0].decode()
        cost = money.nanos(Decimal(said)) if said else 0
        self.tally.cost += cost
        if answer.status == 200:
            self.tally.paid[answer.headers["x-keeptrusts-request-id"]] = cost


def _body(kind: str, text: str) -> dict[str, Any]:
    if kind == "embedding":
        return {"model": "text-embedding-3-small", "input": text}
    model = "claude-sonnet-5" if kind == "message" else "gpt-4o-mini"
    messages = [{"role": "user", "content": text}]
    body: dict[str, Any] = {"model": model, "max_tokens": 64, "messages": messages}
    return body | ({"stream": True} if kind == "stream" else {})


def targets(url: str) -> list[dict[str, Any]]:
    """Two targets of a policy file, of both protocols, at one server."""
    return [
        {
            "id": "openai",
            "provider": "openai",
            "base_url": url,
            "models": ["gpt-4o-mini", "text-embedding-3-small"],
        },
        {
            "id": "anthropic",
            "provider": "anthropic",
            "base_url": url,
            "models": ["claude-sonnet-5"],
        },
    ]


def paced(script: Script) -> Script:
    """The same a piece at a time, so that clients can leave in the middle."""
    return [step for part in script for step in (part, Mark.BREATH)]


class Faults:
    """One in twenty answers is something else, drawn from ``seed`` in the order they are asked."""

    def __init__(self, seed: int, share: float = 0.05) -> None:
        self._random = random.Random(seed)
        self._share = share

    def __call__(self, asked: Asked) -> Script | None:
        """What is said in place of the answer; None for the answer."""
        if self._random.random() >= self._share:
            return None
        good = b"".join(step for step in metered.answer(asked) if isinstance(step, bytes))
        cut = good[: self._random.randrange(len(good))]
        error = b'{"error": {"message": "busy", "type": "server_error", "code": null}}'
        faults: list[Script] = [
            [plain(error, 503)],
            [plain(error, 400)],
            [plain(error, 429, retry_after="0.01")],
            [plain(b"<html>")],
            [head(content_type="text/event-stream"), b"data: {}\n\n"],
            [Mark.RESET],
            [cut],
            [cut, Mark.BREATH, Mark.RESET],
        ]
        return self._random.choice(faults)
