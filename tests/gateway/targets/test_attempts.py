"""Who is asked next after a failure, after which pause, and when it is enough."""

import pytest

from gateway.policy import Target
from gateway.targets import Attempts, Breakers, Failure
from tests.gateway.targets.conftest import Clock, make_target

A, B, C, D = (make_target(name) for name in "abcd")


class Walk:
    """One request's attempts, every one of which fails in the way a test says."""

    def __init__(self, clock: Clock, *targets: Target, seconds: float = 60.0) -> None:
        self.clock = clock
        self.breakers = Breakers(clock)
        self.attempts = Attempts(
            targets,
            self.breakers,
            deadline=clock() + seconds,
            clock=clock,
            draw=lambda low, _high: low,
        )

    def step(self) -> tuple[str, float] | None:
        """The next attempt, its pause having passed."""
        step = self.attempts.next()
        if step is None:
            return None
        self.clock.pass_(step.pause)
        return step.target.id, round(step.pause, 6)

    def all(self, failure: Failure, wait: float | None = None) -> list[tuple[str, float]]:
        """Every attempt, when all of them fail alike."""
        found = []
        while (step := self.step()) is not None:
            found.append(step)
            self.attempts.failed(failure, wait)
        return found


def test_a_lost_connection_is_tried_once_more_before_the_next_target(clock: Clock) -> None:
    found = Walk(clock, A, B).all(Failure.CONNECTION)
    assert found == [("a", 0.0), ("a", 0.05), ("b", 0.0), ("b", 0.05)]


def test_a_slow_target_is_not_asked_again(clock: Clock) -> None:
    assert Walk(clock, A, B).all(Failure.TIMEOUT) == [("a", 0.0), ("b", 0.0)]


def test_an_error_of_the_server_comes_back_to_it_after_all_others(clock: Clock) -> None:
    found = Walk(clock, A, B).all(Failure.SERVER)
    assert found == [("a", 0.0), ("b", 0.0), ("a", 0.25), ("b", 0.0)]


def test_a_single_target_is_asked_twice(clock: Clock) -> None:
    assert Walk(clock, A).all(Failure.SERVER) == [("a", 0.0), ("a", 0.25)]


def test_a_busy_target_gives_way_at_once_and_is_asked_again_when_it_said(clock: Clock) -> None:
    found = Walk(clock, A, B).all(Failure.LIMITED, 2.0)
    assert found == [("a", 0.0), ("b", 0.0), ("a", 2.0), ("b", 0.0)]


def test_a_busy_target_that_asks_for_long_is_not_waited_for(clock: Clock) -> None:
    assert Walk(clock, A).all(Failure.LIMITED, 3.1) == [("a", 0.0)]


def test_a_wait_that_does_not_fit_into_what_is_left_is_not_begun(clock: Clock) -> None:
    assert Walk(clock, A, seconds=2.0).all(Failure.LIMITED, 2.0) == [("a", 0.0)]
    assert Walk(clock, A, seconds=2.1).all(Failure.LIMITED, 2.0) == [("a", 0.0), ("a", 2.0)]


def test_the_target_that_is_free_first_is_asked_first(clock: Clock) -> None:
    walk = Walk(clock, A, B)
    walk.step()
    walk.attempts.failed(Failure.LIMITED, 2.0)
    walk.step()
    walk.attempts.failed(Failure.LIMITED, 1.0)
    assert walk.step() == ("b", 1.0)


def test_a_target_without_money_is_not_asked_again(clock: Clock) -> None:
    assert Walk(clock, A, B).all(Failure.OUT_OF_QUOTA) == [("a", 0.0), ("b", 0.0)]


def test_what_is_the_request_s_own_fault_ends_it(clock: Clock) -> None:
    assert Walk(clock, A, B, C).all(Failure.FINAL) == [("a", 0.0)]


def test_there_are_six_attempts_at_most(clock: Clock) -> None:
    walk = Walk(clock, A, B, C, D)
    assert len(walk.all(Failure.CONNECTION)) == 6
    assert walk.attempts.made == 6


def test_nothing_is_begun_after_the_deadline(clock: Clock) -> None:
    walk = Walk(clock, A, B, seconds=10)
    walk.step()
    clock.pass_(10)
    walk.attempts.failed(Failure.TIMEOUT)
    assert walk.step() is None


def test_a_skipped_target_is_no_attempt_and_does_not_come_back(clock: Clock) -> None:
    walk = Walk(clock, A, B)
    walk.step()
    walk.attempts.skip()
    assert walk.attempts.made == 0
    assert walk.all(Failure.SERVER) == [("b", 0.0), ("b", 0.25)]


def test_nobody_comes_back_to_a_target_whose_circuit_opened(clock: Clock) -> None:
    walk = Walk(clock, A, B)
    for target in (A, B):
        walk.step()
        walk.attempts.failed(Failure.SERVER)
        walk.breakers.of(target).begin().out_of_quota()
    assert walk.step() is None


@pytest.mark.parametrize("failure", [Failure.CONNECTION, Failure.SERVER])
def test_the_only_target_is_asked_once_while_its_circuit_is_open(
    clock: Clock, failure: Failure
) -> None:
    walk = Walk(clock, A)
    walk.breakers.of(A).begin().out_of_quota()
    assert walk.all(failure) == [("a", 0.0)]


def test_a_target_whose_circuit_opened_since_the_order_was_made_waits_for_the_others(
    clock: Clock,
) -> None:
    walk = Walk(clock, A, B, C)
    walk.breakers.of(A).begin().out_of_quota()
    assert walk.all(Failure.TIMEOUT) == [("b", 0.0), ("c", 0.0), ("a", 0.0)]
