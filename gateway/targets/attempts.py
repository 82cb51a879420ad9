"""The attempts of one request: who is asked next, and after which pause. It waits for nothing."""

import random
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from gateway.policy import Target
from gateway.targets.breaker import Breakers, Clock
from gateway.targets.failures import Failure

MAX_ATTEMPTS, MAX_PER_TARGET = 6, 2
RECONNECT_PAUSE = (0.05, 0.15)
RETURN_PAUSE = (0.25, 0.5)
JITTER = (0.0, 0.1)
"""Seconds, drawn evenly: callers that failed together do not come back together."""
LONGEST_WAIT = 3.0
"""A provider that asks for more is not asked again for this request."""


class Step(NamedTuple):
    """Ask ``target`` after ``pause`` seconds."""

    target: Target
    pause: float


class Attempts:
    """Walks through ``targets`` in their order. ``deadline`` is an instant of ``clock``.

    Call ``next``, try, then say ``failed`` or ``skip``, until ``next`` has no more.
    """

    def __init__(
        self,
        targets: Iterable[Target],
        breakers: Breakers,
        *,
        deadline: float,
        clock: Clock = time.monotonic,
        draw: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._fresh = list(targets)
        self._breakers = breakers
        self._deadline = deadline
        self._clock = clock
        self._draw = draw
        self._made: dict[str, int] = {}
        self._again: list[tuple[float, Target]] = []
        self._at_once: Target | None = None
        self._current: Target | None = None
        self._over = False

    @property
    def made(self) -> int:
        """How many attempts there were; skipped targets do not count."""
        return sum(self._made.values())

    def next(self) -> Step | None:
        """Whom to ask next; None when it is enough."""
        step = None if self._over or self.made >= MAX_ATTEMPTS else self._choose()
        self._current = step.target if step is not None else None
        if step is not None:
            self._made[step.target.id] = self._made.get(step.target.id, 0) + 1
        return step

    def _choose(self) -> Step | None:
        same, self._at_once = self._at_once, None
        if same is not None:
            pause = self._draw(*RECONNECT_PAUSE)
            if self._fits(pause) and self._well(same):
                return Step(same, pause)
        if self._fresh:
            return Step(self._take_fresh(), 0.0) if self._fits(0.0) else None
        return self._return()

    def _take_fresh(self) -> Target:
        """The first that is ready now: another request may have opened a circuit meanwhile."""
        for position, target in enumerate(self._fresh):
            if self._breakers.ready(target):
                return self._fresh.pop(position)
        return self._fresh.pop(0)

    def _return(self) -> Step | None:
        """Back to a target that has failed once, the one that is free first."""
        for chosen in sorted(self._again, key=lambda item: item[0]):
            at, target = chosen
            self._again.remove(chosen)
            pause = max(0.0, at - self._clock())
            if self._fits(pause) and self._well(target):
                return Step(target, pause)
        return None

    def _well(self, target: Target) -> bool:
        """Nobody insists where a circuit is open."""
        return self._breakers.of(target).state == "closed"

    def _fits(self, pause: float) -> bool:
        return self._clock() + pause < self._deadline

    def skip(self) -> None:
        """The target was not asked and is not to be: its price, or what the wallet has."""
        if self._current is not None:
            self._made[self._current.id] -= 1
            self._current = None

    def failed(self, failure: Failure, wait: float | None = None) -> None:
        """How the attempt ended; ``wait``: seconds the provider asks for, None: it does not say."""
        target, self._current = self._current, None
        if target is None or failure.final:
            self._over = self._over or failure.final
            return
        if self._made[target.id] >= MAX_PER_TARGET:
            return
        if failure.at_once:
            self._at_once = target
        elif failure.later and (wait is None or wait <= LONGEST_WAIT):
            pause = self._draw(*RETURN_PAUSE) if wait is None else wait + self._draw(*JITTER)
            self._again.append((self._clock() + pause, target))
