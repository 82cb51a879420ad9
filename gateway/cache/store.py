"""Answers under keys: compressed, encrypted, for a time, and only until their organisation purges.

Every organisation has a generation, raised by a purge. It is in the database, whence gateways have
it within seconds, and beside the answers, whence they have it at once: an answer counts only while
it is of the newest generation either of them knows.
"""

import asyncio
import struct
import time
import zlib
from dataclasses import dataclass

from gateway.cache import worth
from gateway.cache.names import generation_name, generation_of, prefix
from gateway.cache.sealing import Seal, Tampered
from gateway.cache.shelf import Shelf
from gateway.proxy.recording import Recorded
from gateway.proxy.route import Route

FORMAT = 1
HEAD = struct.Struct(">BQQ")
"""Format, generation, Unix milliseconds when it was kept; what follows is encrypted."""
LEVEL = 3
IN_A_THREAD = 65_536
"""Bytes from which packing and opening leave the event loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the answer to a request is kept. ``generation`` is the one the gateway knows of,
    ``seconds`` how long an answer counts.
    """

    organization: str
    key: str
    generation: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer that was kept ``age`` seconds ago."""

    recorded: Recorded
    age: int


class Store:
    """Keeps answers on a shelf. Whatever is wrong with one, it is as if it were not there."""

    def __init__(self, shelf: Shelf, seal: Seal | None = None) -> None:
        self.shelf = shelf
        self._seal = seal or Seal()

    def name(self, place: Place) -> str:
        """The name of a place, which tells nothing of the request."""
        return f"{prefix(place.organization)}{self._seal.name(place.key)}"

    async def find(self, place: Place) -> tuple[Kept | None, bool]:
        """The answer, if there is one that counts, and whether the cache could be asked."""
        name, newest = self.name(place), generation_name(place.organization)
        found = await self.shelf.read(newest, name)
        if found is None:
            return None, False
        sealed = found.get(name)
        if sealed is None or generation_of(found.get(newest, b"")) > place.generation:
            return None, True
        if len(sealed) < IN_A_THREAD:
            return self._open(place, name, sealed), True
        return await asyncio.to_thread(self._open, place, name, sealed), True

    async def keep(self, place: Place, route: Route, recorded: Recorded) -> bool:
        """Keep an answer that is worth it; whether it may be shared, kept or not."""
        if len(recorded.body) < IN_A_THREAD:
            sealed = self._pack(place, route, recorded)
        else:
            sealed = await asyncio.to_thread(self._pack, place, route, recorded)
        if sealed is None:
            return False
        await self.shelf.write(self.name(place), sealed, place.seconds)
        return True

    def _pack(self, place: Place, route: Route, recorded: Recorded) -> bytes | None:
        if not worth.keeping(route, recorded):
            return None
        head = HEAD.pack(FORMAT, place.generation, int(time.time() * 1000))
        packed = zlib.compress(recorded.pack(), LEVEL)
        return head + self._seal.close(packed, _bound(self.name(place), head))

    def _open(self, place: Place, name: str, sealed: bytes) -> Kept | None:
        head, body = sealed[: HEAD.size], sealed[HEAD.size :]
        try:
            form, generation, kept_at = HEAD.unpack(head)
            age = max(0, int(time.time() - kept_at / 1000))
            if form != FORMAT or generation != place.generation or age >= place.seconds:
                return None
            packed = zlib.decompress(self._seal.open(body, _bound(name, head)))
            return Kept(Recorded.unpack(packed), age)
        except (Tampered, struct.error, zlib.error, ValueError, KeyError, TypeError):
            return None


def _bound(name: str, head: bytes) -> bytes:
    """What an answer is encrypted for: another name, generation or time makes it unreadable."""
    return name.encode() + b"\n" + head
