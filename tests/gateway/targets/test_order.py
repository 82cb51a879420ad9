"""The order of targets: priority, weight by chance, and what goes last."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy import Target
from gateway.targets import ordered
from tests.gateway.targets.conftest import make_target

TARGETS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 3), st.booleans()), min_size=0, max_size=8
)


def _always(_target: Target) -> bool:
    return True


def _names(targets: tuple[Target, ...]) -> list[str]:
    return [target.id for target in targets]


@given(TARGETS, st.integers())
def test_every_target_appears_once_and_priorities_never_fall(
    rows: list[tuple[int, int, bool]], seed: int
) -> None:
    targets = [
        make_target(f"t{number}", weight=weight, priority=priority)
        for number, (weight, priority, _) in enumerate(rows)
    ]
    well = {target.id for target, (_, _, ready) in zip(targets, rows, strict=True) if ready}

    found = ordered(targets, ready=lambda t: t.id in well, draw=random.Random(seed).random)

    assert sorted(_names(found)) == sorted(_names(tuple(targets)))
    if len(targets) > 1:
        places = [(t.id not in well, t.weight == 0, t.priority) for t in found]
        assert places == sorted(places)


def test_weights_are_kept_in_the_long_run() -> None:
    targets = [make_target("heavy", weight=6), make_target("light", weight=3), make_target("one")]
    draw = random.Random(20_260_101).random

    first = Counter(ordered(targets, ready=_always, draw=draw)[0].id for _ in range(20_000))

    for name, expected in {"heavy": 12_000, "light": 6_000, "one": 2_000}.items():
        assert abs(first[name] - expected) < 250, first


def test_weights_hold_for_the_second_place_too() -> None:
    targets = [make_target("a", weight=8), make_target("b", weight=3), make_target("c", weight=1)]
    draw = random.Random(7).random
    orders = [_names(ordered(targets, ready=_always, draw=draw)) for _ in range(20_000)]

    after_a = Counter(order[1] for order in orders if order[0] == "a")

    assert abs(after_a["b"] / (after_a["b"] + after_a["c"]) - 0.75) < 0.02


def test_a_lower_priority_number_goes_first_whatever_the_weights() -> None:
    targets = [make_target("later", weight=1_000_000, priority=1), make_target("first", priority=0)]
    assert _names(ordered(targets, ready=_always)) == ["first", "later"]


def test_a_target_of_weight_zero_comes_after_those_of_higher_priority_numbers() -> None:
    targets = [make_target("reserve", weight=0), make_target("dear", priority=9)]
    assert _names(ordered(targets, ready=_always)) == ["dear", "reserve"]


def test_a_target_that_is_not_ready_comes_last_and_is_not_left_out() -> None:
    targets = [make_target("down"), make_target("reserve", weight=0), make_target("up", priority=3)]
    found = ordered(targets, ready=lambda target: target.id != "down")
    assert _names(found) == ["up", "reserve", "down"]


@pytest.mark.parametrize("lot", [0.0, 1.0])
def test_the_ends_of_the_lot_are_numbers_like_others(lot: float) -> None:
    targets = [make_target("a"), make_target("b")]
    assert _names(ordered(targets, ready=_always, draw=lambda: lot)) == ["a", "b"]
