"""Circuit breakers: one per target and process. Decided by outcomes and a clock; nothing waits.

Closed: requests pass. Open: the target has failed too often and is asked only when no other is
left. When its time is over, half-open: one request tries it, and its outcome decides.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from gateway.policy import Target

Clock = Callable[[], float]
State = Literal["closed", "open", "half_open"]

FAILURES_IN_A_ROW = 5
WINDOW_SECONDS, WINDOW_LEAST, WINDOW_SHARE = 30.0, 20, 0.5
"""It also opens when half of at least 20 outcomes of the last 30 seconds were failures."""
WINDOW_MOST = 1_000
FIRST_OPEN_SECONDS, LONGEST_OPEN_SECONDS = 5.0, 60.0
QUOTA_SECONDS = 60.0
BUSY_SECONDS, LONGEST_BUSY_SECONDS = 1.0, 10.0
"""After a 429 others go first for as long as it asks, one second where it does not say."""
PROBE_SECONDS = 60.0
"""A probe that has said nothing for so long does not keep others from trying."""

FAILURES, OUT_OF_QUOTA = "failures", "out_of_quota"


class Breaker:
    """What is known of one target. ``reason`` says why it is open, empty when it is not."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._outcomes: deque[tuple[float, bool]] = deque(maxlen=WINDOW_MOST)
        self._failures = 0
        self._period = FIRST_OPEN_SECONDS
        self._opened_at = self._open_until = self._busy_until = float("-inf")
        self._probe: Trial | None = None
        self.reason = ""

    @property
    def state(self) -> State:
        """As it is now."""
        if not self.reason:
            return "closed"
        return "open" if self._clock() < self._open_until else "half_open"

    @property
    def ready(self) -> bool:
        """Whether a request may come here while there are other targets."""
        if self._clock() < self._busy_until:
            return False
        state = self.state
        return state == "closed" or (state == "half_open" and not self._probing())

    def _probing(self) -> bool:
        probe = self._probe
        return probe is not None and self._clock() < probe.began_at + PROBE_SECONDS

    def begin(self) -> "Trial":
        """A request goes to the target; half-open, the first is the probe."""
        trial = Trial(self, self._clock())
        if self.state == "half_open" and not self._probing():
            self._probe = trial
        return trial

    # Outcomes, told by trials

    def _succeeded(self, trial: "Trial") -> None:
        self._note(ok=True)
        self._failures = 0
        # What began before it opened says nothing about how it is now.
        if self.reason and trial.began_at >= self._opened_at:
            self.reason = ""
            self._period = FIRST_OPEN_SECONDS
            self._outcomes.clear()

    def _failed(self, trial: "Trial") -> None:
        self._note(ok=False)
        self._failures += 1
        if self.reason:
            # Only the probe decides: what else is tried while it is open was the last resort.
            if trial is self._probe:
                self._period = min(self._period * 2, LONGEST_OPEN_SECONDS)
                self._open(self.reason, self._period)
        elif self._failures >= FAILURES_IN_A_ROW or self._fails_often():
            self._open(FAILURES, self._period)

    def _limited(self, wait: float | None) -> None:
        asked = BUSY_SECONDS if wait is None else wait
        until = self._clock() + min(asked, LONGEST_BUSY_SECONDS)
        self._busy_until = max(self._busy_until, until)

    def _out_of_quota(self) -> None:
        self._open(OUT_OF_QUOTA, QUOTA_SECONDS)

    def _ended(self, trial: "Trial") -> None:
        if trial is self._probe:
            self._probe = None

    def _open(self, reason: str, seconds: float) -> None:
        now = self._clock()
        self.reason = reason
        self._opened_at, self._open_until = now, now + seconds

    def _note(self, *, ok: bool) -> None:
        now = self._clock()
        self._outcomes.append((now, ok))
        while self._outcomes[0][0] < now - WINDOW_SECONDS:
            self._outcomes.popleft()

    def _fails_often(self) -> bool:
        count = len(self._outcomes)
        failures = sum(not ok for _, ok in self._outcomes)
        return count >= WINDOW_LEAST and failures >= WINDOW_SHARE * count


@dataclass(slots=True, eq=False)
class Trial:
    """One request at a target. The first outcome counts; none at all (a caller that left) says
    nothing about the target.
    """

    _breaker: Breaker
    began_at: float
    _open: bool = field(default=True)

    def succeeded(self) -> None:
        """The target answered, be it that the request was wrong."""
        if self._ends():
            self._breaker._succeeded(self)
            self._breaker._ended(self)

    def failed(self) -> None:
        """The target did not do its work."""
        if self._ends():
            self._breaker._failed(self)
            self._breaker._ended(self)

    def limited(self, wait: float | None) -> None:
        """It is busy, for ``wait`` seconds where it says so."""
        if self._ends():
            self._breaker._limited(wait)
            self._breaker._ended(self)

    def out_of_quota(self) -> None:
        """Our account there has no money."""
        if self._ends():
            self._breaker._out_of_quota()
            self._breaker._ended(self)

    def released(self) -> None:
        """Ended without an outcome; does nothing after one."""
        if self._ends():
            self._breaker._ended(self)

    def _ends(self) -> bool:
        was, self._open = self._open, False
        return was


class Breakers:
    """The breakers of a process, by target. One with another address is another target."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._by_target: dict[tuple[str, str], Breaker] = {}

    def of(self, target: Target) -> Breaker:
        """The breaker of ``target``, a closed one at first."""
        key = (target.id, target.base_url)
        found = self._by_target.get(key)
        if found is None:
            found = self._by_target.setdefault(key, Breaker(self._clock))
        return found

    def ready(self, target: Target) -> bool:
        """Whether requests may go to ``target`` while there are others."""
        found = self._by_target.get((target.id, target.base_url))
        return found is None or found.ready

    def __iter__(self) -> Iterator[tuple[str, Breaker]]:
        """Target ids with their breakers, for metrics."""
        return ((name, breaker) for (name, _), breaker in list(self._by_target.items()))
