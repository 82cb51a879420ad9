"""What the readers of all streams have in common."""

from collections.abc import Container, Iterator, Mapping
from typing import Any

from gateway.pricing.usage import Reading
from gateway.proxy import sse

KEEP_RAW = 65_536
"""Bytes of a stream kept unread; most streams report their usage and are never counted."""


class Watching:
    """Passes the events of a stream on, looks into the few that matter, and keeps the last back.

    What passes is kept unread, in pieces, until somebody must count it. A reader of one route says
    which blocks must be looked into (``_is_remarkable``), which of their events the client gets
    (``_passes``), whether a block has text in it (``_has_text``), and which (``_texts_of``).
    """

    __slots__ = (
        "_ending", "_raw", "_raw_size", "_seen", "_size", "_text", "delivered", "done", "error",
        "usage",
    )  # fmt: skip

    def __init__(self) -> None:
        self._ending = b""
        self._raw: list[bytes] = []
        self._raw_size = 0
        self._text: list[str] = []
        self._size = self._seen = 0
        self.usage: Reading | None = None
        self.error: Any = None
        self.done = False
        self.delivered = False

    def feed(self, block: bytes) -> bytes:
        """Look into whole events; what the client gets of them now."""
        if self.done:
            return b""
        self._raw.append(block)
        self._raw_size += len(block)
        if self._raw_size > KEEP_RAW:
            self._digest()
        if not self.delivered and self._has_text(block):
            self.delivered = True
        if not self._is_remarkable(block):
            return block
        return b"".join(
            event for event in sse.events(block) if not self.done and self._passes(event)
        )

    def text(self) -> str:
        """Everything that was produced so far, for counting."""
        self._digest()
        return "".join(self._text)

    def size(self) -> int:
        """Bytes of all text so far."""
        self._digest()
        return self._size

    def fresh(self) -> str:
        """The text that came since this was last asked."""
        self._digest()
        seen, self._seen = self._seen, len(self._text)
        return "".join(self._text[seen:])

    def end(self) -> bytes:
        """The event that ends the answer; empty where none has come."""
        return self._ending

    def _hold_back(self, event: bytes) -> None:
        """This event ends the answer: it goes out when the answer is paid for."""
        self.done = True
        self._ending = event

    def _digest(self) -> None:
        raw, self._raw, self._raw_size = self._raw, [], 0
        for event in sse.events(b"".join(raw)):
            for text in self._texts_of(sse.object_of(event)):
                self._text.append(text)
                self._size += len(text) if text.isascii() else len(text.encode("utf-8", "replace"))

    def _is_remarkable(self, block: bytes) -> bool:
        raise NotImplementedError

    def _passes(self, event: bytes) -> bool:
        raise NotImplementedError

    def _has_text(self, block: bytes) -> bool:
        raise NotImplementedError

    def _texts_of(self, value: Mapping[str, Any]) -> Iterator[str]:
        raise NotImplementedError


def strings(value: Any, skipped: Container[str]) -> Iterator[str]:
    """Every text inside a value, but those under a skipped name."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if key not in skipped:
                yield from strings(item, skipped)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item, skipped)
