"""An upstream that may do anything: it writes the bytes it is told, and then what it is told.

No HTTP library stands between a test and the wire: what is written is a ``Script`` of bytes and
marks. Every connection serves one request. The server runs in a thread of its own.
"""

import asyncio
import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Mark(Enum):
    """What is done instead of writing bytes."""

    HANG = "hang"
    """Nothing more, until the other side hangs up or the server is closed."""
    RESET = "reset"
    """The connection is reset."""
    BREATH = "breath"
    """What was written so far goes out on its own."""


Step = bytes | Mark
Script = Sequence[Step]


@dataclass(frozen=True)
class Asked:
    """One request as it arrived; ``number`` counts them from 0."""

    number: int
    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        """The JSON of the body; empty where it is none."""
        try:
            value = json.loads(self.raw)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


Plan = Callable[[Asked], Script]


class Hostile(AbstractContextManager["Hostile"]):
    """The server; ``url`` ends in ``/v1``. ``plan`` says how each request is answered."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.requests: list[Asked] = []
        self._loop = asyncio.new_event_loop()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Hostile":
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, sock=self._socket))
        self._loop.run_forever()
        server.close()
        open_ones = asyncio.all_tasks(self._loop)
        for task in open_ones:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*open_ones, return_exceptions=True))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked = await self._read(reader)
            await self._write(self.plan(asked), reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _read(self, reader: asyncio.StreamReader) -> Asked:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in head[1:] if line)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        raw = await reader.readexactly(int(headers.get("content-length", "0")))
        asked = Asked(len(self.requests), head[0].split(" ")[1], headers, raw)
        self.requests.append(asked)
        return asked

    async def _write(
        self, script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        for step in script:
            if isinstance(step, bytes):
                writer.write(step)
            elif step is Mark.BREATH:
                await writer.drain()
                await asyncio.sleep(0.001)
            elif step is Mark.HANG:
                await writer.drain()
                await reader.read()
            else:
                _reset(writer)
                raise ConnectionResetError
        await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close without saying good-bye: what is on its way is lost."""
    found: socket.socket = writer.get_extra_info("socket")
    found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def head(status: int = 200, *lines: str, version: str = "1.1", **headers: Any) -> bytes:
    """A status line and headers; ``content_type="text/plain"`` sets one, None leaves it out."""
    given = {"connection": "close", "content_type": "application/json", **headers}
    shown = [f"{name.replace('_', '-')}: {value}" for name, value in given.items() if value]
    return "\r\n".join([f"HTTP/{version} {status} Said", *shown, *lines, "", ""]).encode("latin-1")


def plain(body: bytes, status: int = 200, **headers: Any) -> bytes:
    """A whole answer with its right length."""
    return head(status, content_length=str(len(body)), **headers) + body


def chunked(*parts: bytes) -> list[bytes]:
    """The parts as chunks of HTTP/1.1, and the last one."""
    return [*(b"%x\r\n%s\r\n" % (len(part), part) for part in parts if part), b"0\r\n\r\n"]
