"""How many requests and bytes of bodies a process holds, and that nobody takes the room of all."""

from collections import Counter
from dataclasses import dataclass

from gateway.proxy.errors import Rejected
from gateway.snapshot import Caller

CROWDED = 0.8
"""Share of all places from which on everybody is held to a share."""
BYTES_SHARES = 4
"""Nobody holds more than one of so many parts of all bytes."""
RETRY_SECONDS = 1

Who = tuple[str, int | None, str | int | None]


@dataclass(slots=True, eq=False)
class Place:
    """What one request takes: a place, and room for the bytes of its body."""

    who: Who
    held: int = 0


class Crowd:
    """Counts the requests that are being served and the bytes of their bodies. All keys of a person
    count together, and all keys of a consumer group.

    Up to four fifths of all places anybody may take them, within the bound per key. The rest goes
    to those who have less than their equal share.
    """

    def __init__(self, *, most: int, most_per_key: int, most_bytes: int) -> None:
        self._most = most
        self._most_per_key = most_per_key
        self._most_bytes = most_bytes
        self._places: Counter[Who] = Counter()
        self._bytes: Counter[Who] = Counter()
        self._all = self._all_bytes = 0

    def enter(self, caller: Caller) -> Place:
        """Take a place; raises 429 for callers with too many, 503 where there is none left."""
        who = _who(caller)
        own = self._places[who]
        if self._all >= self._most:
            raise _busy()
        if own >= self._most_per_key or (own and self._crowded and own >= self._share(who)):
            raise _too_many(f"You have {own} requests running here")
        self._places[who] = own + 1
        self._all += 1
        return Place(who)

    def hold(self, place: Place, size: int) -> None:
        """Take room for so many more bytes; raises as ``enter`` does, and takes nothing then."""
        own = self._bytes[place.who]
        if own + size > self._most_bytes // BYTES_SHARES:
            raise _too_many(f"Your running requests have {own} bytes here, with no room for {size}")
        if self._all_bytes + size > self._most_bytes:
            raise _busy()
        self._bytes[place.who] = own + size
        self._all_bytes += size
        place.held += size

    def leave(self, place: Place) -> None:
        """Give a place back, and its bytes."""
        self._all -= 1
        self._all_bytes -= place.held
        for counts, count in ((self._places, 1), (self._bytes, place.held)):
            counts[place.who] -= count
            if not counts[place.who]:
                del counts[place.who]

    @property
    def _crowded(self) -> bool:
        return self._all >= CROWDED * self._most

    def _share(self, who: Who) -> float:
        callers = len(self._places) + (who not in self._places)
        return self._most / max(1, callers)


def _who(caller: Caller) -> Who:
    if caller.user_id is not None:
        return "user", None, caller.user_id
    return "group", caller.team.id, caller.group_name


def _too_many(facts: str) -> Rejected:
    return Rejected(
        429,
        f"{facts}: wait for some of them to end.",
        code="too_many_concurrent_requests",
        kind="rate_limit_exceeded",
        retry_after=RETRY_SECONDS,
    )


def _busy() -> Rejected:
    return Rejected(
        503,
        "The gateway serves as many requests as it can; try again.",
        code="gateway_busy",
        kind="service_unavailable",
        retry_after=RETRY_SECONDS,
    )
