"""Server-sent events, read while they pass: whole events go on at once, a few are looked into."""

from typing import Any

import orjson

MAX_EVENT = 4 * 1024 * 1024
"""Bytes without an end of event that are still taken for an event stream."""

DONE = b"data: [DONE]\n\n"
_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")


class NotEvents(ValueError):
    """What arrives is no stream of server-sent events."""


class Splitter:
    """Collects bytes until they are whole events."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> bytes:
        """All whole events that have arrived, as bytes; the rest is kept."""
        data = self._rest + chunk if self._rest else chunk
        if data.endswith(b"\n\n"):
            self._rest = b""
            return data
        end = max(data.rfind(mark) + len(mark) if mark in data else 0 for mark in _ENDS)
        self._rest = data[end:]
        if len(self._rest) > MAX_EVENT:
            raise NotEvents("an event has no end")
        return data[:end]

    def rest(self) -> bytes:
        """What came after the last whole event; servers may leave out the last empty line."""
        rest, self._rest = self._rest, b""
        return rest if not rest.strip() else rest.rstrip(b"\r\n") + b"\n\n"


def events(block: bytes) -> list[bytes]:
    """The events of a block of whole ones, each with its empty line."""
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return [part + b"\n\n" for part in block.split(b"\n\n") if part.strip(b"\n")]


def data_of(event: bytes) -> bytes:
    """The data lines of an event, joined."""
    if event.startswith(b"data:") and event.count(b"\n") == 2:
        return event[5:].strip()
    lines = event.split(b"\n")
    return b"\n".join(line[5:].strip() for line in lines if line.startswith(b"data:"))


def object_of(event: bytes) -> dict[str, Any]:
    """The JSON object an event carries; empty where it carries none."""
    try:
        value = orjson.loads(data_of(event))
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
