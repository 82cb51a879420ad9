"""Circuit breakers by a clock that tests move: what opens them, who may try, what closes them."""

import pytest

from gateway.targets import Breaker, Breakers
from tests.gateway.targets.conftest import Clock, make_target


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock)


def _fail(breaker: Breaker, times: int = 5) -> None:
    for _ in range(times):
        breaker.begin().failed()


def _seen(breaker: Breaker) -> tuple[str, bool]:
    return breaker.state, breaker.ready


def test_it_is_closed_at_first_and_after_four_failures(breaker: Breaker) -> None:
    _fail(breaker, 4)
    assert _seen(breaker) == ("closed", True)


def test_five_failures_in_a_row_open_it(breaker: Breaker) -> None:
    _fail(breaker)
    assert _seen(breaker) == ("open", False)
    assert breaker.reason == "failures"


def test_a_success_begins_the_count_anew(breaker: Breaker) -> None:
    _fail(breaker, 4)
    breaker.begin().succeeded()
    _fail(breaker, 4)
    assert breaker.state == "closed"


def test_half_of_twenty_outcomes_in_half_a_minute_open_it(breaker: Breaker, clock: Clock) -> None:
    for _ in range(9):
        breaker.begin().succeeded()
        breaker.begin().failed()
        clock.pass_(1)
    breaker.begin().succeeded()
    assert _seen(breaker) == ("closed", True)

    breaker.begin().failed()

    assert _seen(breaker) == ("open", False)


def test_outcomes_older_than_the_window_do_not_count(breaker: Breaker, clock: Clock) -> None:
    for _ in range(9):
        breaker.begin().succeeded()
        breaker.begin().failed()
    clock.pass_(31)
    breaker.begin().succeeded()
    breaker.begin().failed()
    assert breaker.state == "closed"


def test_after_five_seconds_one_request_may_try_it(breaker: Breaker, clock: Clock) -> None:
    _fail(breaker)
    clock.pass_(4.9)
    assert _seen(breaker) == ("open", False)

    clock.pass_(0.1)
    assert _seen(breaker) == ("half_open", True)
    breaker.begin()

    assert _seen(breaker) == ("half_open", False)


def test_the_success_of_the_probe_closes_it(breaker: Breaker, clock: Clock) -> None:
    _fail(breaker)
    clock.pass_(5)
    breaker.begin().succeeded()
    assert _seen(breaker) == ("closed", True)
    assert breaker.reason == ""


def test_the_failure_of_the_probe_opens_it_twice_as_long_up_to_a_minute(
    breaker: Breaker, clock: Clock
) -> None:
    _fail(breaker)
    for period in (5, 10, 20, 40, 60, 60):
        clock.pass_(period - 0.1)
        assert breaker.state == "open", period
        clock.pass_(0.1)
        breaker.begin().failed()
    clock.pass_(60)
    breaker.begin().succeeded()
    _fail(breaker)
    clock.pass_(5)
    assert breaker.state == "half_open"


def test_a_probe_whose_caller_left_makes_room_for_another(breaker: Breaker, clock: Clock) -> None:
    _fail(breaker)
    clock.pass_(5)
    breaker.begin().released()
    assert _seen(breaker) == ("half_open", True)


def test_a_probe_that_says_nothing_for_a_minute_keeps_nobody_away(
    breaker: Breaker, clock: Clock
) -> None:
    _fail(breaker)
    clock.pass_(5)
    breaker.begin()
    clock.pass_(60)
    assert _seen(breaker) == ("half_open", True)


def test_a_success_of_a_request_from_before_does_not_close_it(
    breaker: Breaker, clock: Clock
) -> None:
    early = breaker.begin()
    clock.pass_(1)
    _fail(breaker)
    early.succeeded()
    assert breaker.state == "open"


def test_failures_of_the_last_resort_do_not_prolong_it(breaker: Breaker, clock: Clock) -> None:
    _fail(breaker)
    clock.pass_(4)
    _fail(breaker)
    clock.pass_(1)
    assert breaker.state == "half_open"


def test_a_success_of_the_last_resort_closes_it(breaker: Breaker) -> None:
    _fail(breaker)
    breaker.begin().succeeded()
    assert breaker.state == "closed"


@pytest.mark.parametrize(("wait", "busy"), [(None, 1), (4.0, 4), (3600.0, 10)])
def test_a_busy_target_goes_last_for_as_long_as_it_asks_and_not_long(
    breaker: Breaker, clock: Clock, wait: float | None, busy: float
) -> None:
    breaker.begin().limited(wait)
    clock.pass_(busy - 0.1)
    assert _seen(breaker) == ("closed", False)
    clock.pass_(0.1)
    assert _seen(breaker) == ("closed", True)


def test_any_number_of_429_opens_nothing(breaker: Breaker) -> None:
    for _ in range(50):
        breaker.begin().limited(1.0)
    assert breaker.state == "closed"


def test_an_account_without_money_opens_it_at_once_for_a_minute(
    breaker: Breaker, clock: Clock
) -> None:
    breaker.begin().out_of_quota()
    assert (_seen(breaker), breaker.reason) == (("open", False), "out_of_quota")
    clock.pass_(60)
    assert _seen(breaker) == ("half_open", True)
    breaker.begin().out_of_quota()
    assert _seen(breaker) == ("open", False)


def test_only_the_first_outcome_of_a_trial_counts(breaker: Breaker) -> None:
    trial = breaker.begin()
    trial.succeeded()
    for _ in range(9):
        trial.failed()
    assert breaker.state == "closed"


def test_every_target_has_a_breaker_of_its_own(clock: Clock) -> None:
    breakers = Breakers(clock)
    down, up = make_target("down"), make_target("up")
    _fail(breakers.of(down))
    assert (breakers.ready(down), breakers.ready(up)) == (False, True)
    assert [(name, breaker.state) for name, breaker in breakers] == [("down", "open")]


def test_a_target_that_has_moved_begins_anew(clock: Clock) -> None:
    breakers = Breakers(clock)
    _fail(breakers.of(make_target("a")))
    assert breakers.ready(make_target("a", base_url="http://elsewhere.example/v1"))
