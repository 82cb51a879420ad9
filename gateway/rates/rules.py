"""The limits of a group as rules: what is counted, how much of it, in which window.

Windows slide. They are kept in slots, and a slot counts until all of it has left the window: never
more than the limit in any window, and room comes back at most one slot late.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from gateway.policy.schema import RateLimits

MINUTE = 60_000
DAY = 24 * 60 * MINUTE

Kind = Literal["requests", "tokens"]


@dataclass(frozen=True, slots=True)
class Rule:
    """At most ``most`` of a kind in ``window`` milliseconds, kept in slots of ``slot``."""

    name: str
    kind: Kind
    most: int
    window: int
    slot: int

    def first(self, now: int) -> int:
        """The oldest slot that counts at ``now``."""
        return (now - self.window) // self.slot

    def last(self, now: int) -> int:
        """The slot of ``now``. Later ones were counted before the clock was set back: they would
        lock the group until it is that time again, so they count no more.
        """
        return now // self.slot

    def leaves_in(self, slot: int, now: int) -> int:
        """Milliseconds until a slot no longer counts."""
        return (slot + 1) * self.slot + self.window - now


@dataclass(frozen=True, slots=True)
class Use:
    """How much of a rule one request needs."""

    rule: Rule
    need: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How a rule stands after a request was counted, or was not.

    ``fits_in``: milliseconds until the request would fit; 0 for now, None for never.
    ``resets_in``: milliseconds until nothing counts any more.
    """

    use: Use
    used: int
    fits_in: int | None
    resets_in: int

    @property
    def remaining(self) -> int:
        """What is left of the limit."""
        return max(0, self.use.rule.most - self.used)


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a request at time ``now`` (milliseconds): counted by all rules or by none."""

    ok: bool
    now: int
    standings: tuple[Standing, ...]


@dataclass(frozen=True, slots=True)
class Correction:
    """By how much a request that was counted at ``taken_at`` needed more (or less) than that."""

    rule: Rule
    taken_at: int
    delta: int

    @property
    def slot(self) -> int:
        """Where it was counted."""
        return self.taken_at // self.rule.slot


@lru_cache(maxsize=1024)
def rules_of(limits: RateLimits | None) -> tuple[Rule, ...]:
    """The rules of a group; none where nothing is limited."""
    if limits is None:
        return ()
    found = (
        ("requests_per_minute", "requests", limits.requests_per_minute, MINUTE, 1_000),
        ("tokens_per_minute", "tokens", limits.tokens_per_minute, MINUTE, 1_000),
        ("tokens_per_day", "tokens", limits.tokens_per_day, DAY, 15 * MINUTE),
    )
    return tuple(
        Rule(name, kind, most, window, slot)  # type: ignore[arg-type]
        for name, kind, most, window, slot in found
        if most is not None
    )


def standing(use: Use, counts: Sequence[tuple[int, int]], now: int) -> Standing:
    """How a rule stands before ``use`` is counted; ``counts`` are its live (slot, count)."""
    rule, used = use.rule, sum(count for _, count in counts)
    resets_in = max((rule.leaves_in(slot, now) for slot, count in counts if count), default=0)
    if use.need > rule.most:
        return Standing(use, used, None, resets_in)
    fits_in, left = 0, used
    for slot, count in sorted(counts):
        if left + use.need <= rule.most:
            break
        left -= count
        fits_in = rule.leaves_in(slot, now)
    return Standing(use, used, fits_in, resets_in)
