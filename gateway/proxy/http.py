"""One exchange over ASGI: read the body, answer whole or in parts, notice what was sent."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from gateway.proxy import errors
from keeptrusts.lib import ids

MAX_BODY = 10 * 1024 * 1024
BODY_SECONDS = 60.0
"""For a whole request body to arrive."""
READ_SECONDS = 60.0
"""A client that takes nothing for so long is taken for one that has left."""

MESSAGES = "/v1/messages"
"""Everything below it is Anthropic's."""

Header = tuple[bytes, bytes]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Hold = Callable[[int], None]
"""Takes room for so many more bytes of a body, or raises."""


class ClientGone(Exception):
    """The client left before its request was read."""


class ClientStalled(Exception):
    """The client is connected and reads nothing."""


class Exchange:
    """The client's side of one request. Sending to a client that has left does nothing."""

    __slots__ = (
        "_receive", "_send", "complete", "headers", "method", "path", "request_id", "started",
    )  # fmt: skip

    def __init__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.request_id = ""
        self.started = False
        self.complete = False
        self._receive = receive
        self._send = send

    @property
    def speaks_anthropic(self) -> bool:
        """Whether the client is one of Anthropic's API, by what it asks for or how."""
        return self.path.startswith(MESSAGES) or b"anthropic-version" in self.headers

    async def body(self, hold: Hold) -> bytes:
        """The request body; raises 413 for a long one, 408 for a slow one, ``ClientGone`` where it
        never ends, and what ``hold`` raises, which is told of bytes before they are kept.
        """
        try:
            async with asyncio.timeout(BODY_SECONDS):
                return await self._body(hold)
        except TimeoutError:
            raise errors.too_slow(BODY_SECONDS) from None

    async def _body(self, hold: Hold) -> bytes:
        length = self.headers.get(b"content-length", b"0")
        held = int(length) if length.isdigit() else 0
        if held > MAX_BODY:
            raise errors.too_large(MAX_BODY)
        hold(held)
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            part = message.get("body", b"")
            size += len(part)
            if size > MAX_BODY:
                raise errors.too_large(MAX_BODY)
            if size > held:
                hold(size - held)
                held = size
            parts.append(part)
            if not message.get("more_body"):
                return bytes(part) if len(parts) == 1 else b"".join(parts)

    async def gone(self) -> None:
        """Return when the client has left, or has its whole answer."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def answer(self, status: int, headers: list[Header], body: bytes) -> None:
        """The whole answer."""
        headers.append((b"content-length", b"%d" % len(body)))
        await self.start(status, headers)
        await self.finish(body)

    async def start(self, status: int, headers: list[Header]) -> None:
        """Status and headers of an answer that comes in parts; the request id is added, under the
        names that clients of the two APIs look for.
        """
        self.started = True
        request_id = (self.request_id or f"req_{ids.base32(ids.uuid7())}").encode()
        headers.append((b"x-request-id", request_id))
        if self.speaks_anthropic:
            headers.append((b"request-id", request_id))
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def part(self, body: bytes) -> None:
        """Some bytes of the answer; raises ``ClientStalled`` where nobody reads them."""
        try:
            async with asyncio.timeout(READ_SECONDS):
                await self._send({"type": "http.response.body", "body": body, "more_body": True})
        except TimeoutError:
            raise ClientStalled from None

    async def finish(self, body: bytes = b"") -> None:
        """The last bytes of the answer; those that nobody reads are dropped in the end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READ_SECONDS):
                await self._send({"type": "http.response.body", "body": body})
                self.complete = True
