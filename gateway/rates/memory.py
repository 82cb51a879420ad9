"""Counting in the memory of one process: where there is no Redis, and while it is away."""

import time
from collections.abc import Callable, Sequence

from gateway.rates.rules import DAY, MINUTE, Correction, Rule, Standing, Taken, Use, standing

Clock = Callable[[], int]


def steady_clock() -> int:
    """Milliseconds since some moment; nobody can set it back."""
    return time.monotonic_ns() // 1_000_000


class MemoryCounts:
    """Exact within its process. Belongs to one event loop; nothing in it waits."""

    def __init__(self, clock: Clock = steady_clock) -> None:
        self._clock = clock
        self._counts: dict[tuple[str, str], dict[int, int]] = {}
        self._touched: dict[tuple[str, str], int] = {}
        self._tidied = 0

    def __len__(self) -> int:
        return len(self._counts)

    async def take(self, group: str, uses: Sequence[Use]) -> Taken:
        """Count a request by all rules, or by none."""
        now = self._clock()
        self._tidy(now)
        found = tuple(standing(use, self._live(group, use.rule, now), now) for use in uses)
        if any(one.fits_in != 0 for one in found):
            return Taken(False, now, found)
        for use in uses:
            self._add(group, use.rule, now, use.need)
        return Taken(True, now, tuple(self._after(group, use, now) for use in uses))

    async def give(self, group: str, corrections: Sequence[Correction]) -> None:
        """What was needed more counts from now on; what was needed less counts no more."""
        now = self._clock()
        for one in corrections:
            if one.delta > 0:
                self._add(group, one.rule, now, one.delta)
                continue
            counts = self._counts.get((group, one.rule.name), {})
            if one.slot in counts:
                counts[one.slot] = max(0, counts[one.slot] + one.delta)

    def _live(self, group: str, rule: Rule, now: int) -> list[tuple[int, int]]:
        counts = self._counts.get((group, rule.name), {})
        first, last = rule.first(now), rule.last(now)
        for slot in [slot for slot in counts if not first <= slot <= last]:
            del counts[slot]
        return list(counts.items())

    def _add(self, group: str, rule: Rule, now: int, count: int) -> None:
        name, slot = (group, rule.name), rule.last(now)
        counts = self._counts.setdefault(name, {})
        counts[slot] = counts.get(slot, 0) + count
        self._touched[name] = now

    def _after(self, group: str, use: Use, now: int) -> Standing:
        return standing(Use(use.rule, 0), self._live(group, use.rule, now), now)

    def _tidy(self, now: int) -> None:
        """Once a minute: forget groups that have not called for longer than any window."""
        if now - self._tidied < MINUTE:
            return
        self._tidied = now
        for name in [name for name, at in self._touched.items() if now - at > 2 * DAY]:
            del self._touched[name], self._counts[name]
