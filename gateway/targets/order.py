"""The order in which the targets of a model are tried."""

import math
import random
from collections.abc import Callable, Iterable

from gateway.policy import Target


def ordered(
    targets: Iterable[Target],
    *,
    ready: Callable[[Target], bool],
    draw: Callable[[], float] = random.random,
) -> tuple[Target, ...]:
    """Every target once: lowest ``priority`` number first, by chance of ``weight`` within one.

    A target of weight 0 comes after all that have a weight, one that is not ``ready`` after all
    that are: it is asked only when nothing else is left. ``draw`` gives numbers from 0 to 1.
    """
    found = tuple(targets)
    if len(found) < 2:
        return found
    return tuple(sorted(found, key=lambda target: _place(target, ready(target), draw)))


def _place(target: Target, ready: bool, draw: Callable[[], float]) -> tuple[bool, bool, int, float]:
    return (not ready, target.weight == 0, target.priority, _lot(target.weight, draw))


def _lot(weight: int, draw: Callable[[], float]) -> float:
    """A waiting time whose mean is 1 / weight: the smallest of a group is drawn by weight."""
    if weight == 0:
        return 0.0
    return -math.log(1.0 - min(draw(), 1.0 - 2**-53)) / weight
