"""How many requests a process serves at a time, and that no key takes the places of all others."""

from collections import Counter

from gateway.proxy.errors import Rejected
from gateway.snapshot import Caller

CROWDED = 0.8
"""Share of all places from which on every key is held to its share."""
RETRY_SECONDS = 1

Who = tuple[int | None, int | None, str, int | None]


class Crowd:
    """Counts the requests that are being served, by key.

    Up to four fifths of all places anybody may take them, within the bound per key. The rest goes
    to keys that have less than their equal share.
    """

    def __init__(self, *, most: int, most_per_key: int) -> None:
        self._most = most
        self._most_per_key = most_per_key
        self._by_key: Counter[Who] = Counter()
        self._all = 0

    def enter(self, caller: Caller) -> Who:
        """Take a place; raises 429 for a key with too many, 503 where there is none left."""
        who = (caller.key_id, caller.group_id, caller.group_name, caller.user_id)
        own = self._by_key[who]
        if self._all >= self._most:
            raise _busy()
        if own >= self._most_per_key or (own and self._crowded and own >= self._share(who)):
            raise _too_many(own)
        self._by_key[who] = own + 1
        self._all += 1
        return who

    def leave(self, who: Who) -> None:
        """Give a place back."""
        self._all -= 1
        self._by_key[who] -= 1
        if not self._by_key[who]:
            del self._by_key[who]

    @property
    def _crowded(self) -> bool:
        return self._all >= CROWDED * self._most

    def _share(self, who: Who) -> float:
        keys = len(self._by_key) + (who not in self._by_key)
        return self._most / max(1, keys)


def _too_many(own: int) -> Rejected:
    return Rejected(
        429,
        f"This key has {own} requests running here: wait for some of them to end.",
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
