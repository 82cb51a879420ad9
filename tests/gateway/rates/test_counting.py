"""Counting against limits: the same rules in one process and in Redis, exact to the request."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import pytest

from gateway.policy.schema import RateLimits
from gateway.rates.counting import Counting
from gateway.rates.memory import MemoryCounts
from gateway.rates.rules import Correction, Taken, Use, rules_of
from gateway.rates.shared import SharedCounts

T = TypeVar("T")
Counts = MemoryCounts | SharedCounts

BEGIN = 1_800_000_000_000


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = BEGIN

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def group() -> str:
    return uuid.uuid4().hex


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
def run(
    request: pytest.FixtureRequest, clock: Clock
) -> Iterator[Callable[[Callable[[Counts], Awaitable[T]]], T]]:
    """Runs a coroutine function with each kind of counts."""
    url = request.getfixturevalue("redis_url") if request.param == "redis" else ""

    async def with_counts(work: Callable[[Counts], Awaitable[T]]) -> T:
        if not url:
            return await work(MemoryCounts(clock))
        shared = SharedCounts(url, clock)
        try:
            return await work(shared)
        finally:
            await shared.close()

    yield lambda work: asyncio.run(with_counts(work))


def uses(tokens: int = 0, **limits: int) -> list[Use]:
    return [
        Use(rule, 1 if rule.kind == "requests" else tokens)
        for rule in rules_of(RateLimits(**limits))
    ]


Run = Callable[[Callable[[Counts], Awaitable[None]]], None]


def test_as_many_requests_pass_as_the_limit_says(run: Run, group: str) -> None:
    async def work(counts: Counts) -> None:
        answers = [await counts.take(group, uses(requests_per_minute=3)) for _ in range(5)]

        assert [one.ok for one in answers] == [True, True, True, False, False]
        assert [one.standings[0].remaining for one in answers] == [2, 1, 0, 0, 0]

    run(work)


def test_room_comes_back_when_the_minute_has_passed(run: Run, group: str, clock: Clock) -> None:
    async def work(counts: Counts) -> None:
        two = uses(requests_per_minute=2)
        await counts.take(group, two)
        clock.now += 10_000
        await counts.take(group, two)
        refused = await counts.take(group, two)
        assert refused.standings[0].fits_in == 51_000
        assert refused.standings[0].resets_in == 61_000

        clock.now += 50_999
        assert not (await counts.take(group, two)).ok
        clock.now += 1
        assert (await counts.take(group, two)).ok
        assert not (await counts.take(group, two)).ok

    run(work)


def test_a_clock_that_is_set_back_locks_nobody_for_longer_than_the_window(
    run: Run, group: str, clock: Clock
) -> None:
    async def work(counts: Counts) -> None:
        two = uses(requests_per_minute=2)
        await counts.take(group, two)
        await counts.take(group, two)
        clock.now -= 3_600_000

        answers = [await counts.take(group, two) for _ in range(3)]

        assert [one.ok for one in answers] == [True, True, False]
        assert answers[2].standings[0].fits_in == 61_000

    run(work)


def test_no_window_of_a_minute_ever_has_more_than_the_limit(
    run: Run, group: str, clock: Clock
) -> None:
    async def work(counts: Counts) -> None:
        clock.now += 999
        admitted: list[int] = []
        for _ in range(400):
            if (await counts.take(group, uses(requests_per_minute=5))).ok:
                admitted.append(clock.now)
            clock.now += 373

        assert len(admitted) >= 10
        for first, sixth in zip(admitted, admitted[5:], strict=False):
            assert sixth - first >= 60_000

    run(work)


def test_a_refused_request_counts_for_nothing(run: Run, group: str) -> None:
    async def work(counts: Counts) -> None:
        limits = {"requests_per_minute": 10, "tokens_per_minute": 100, "tokens_per_day": 150}
        assert (await counts.take(group, uses(80, **limits))).ok
        for _ in range(5):
            refused = await counts.take(group, uses(30, **limits))
            assert not refused.ok
            assert [one.used for one in refused.standings] == [1, 80, 80]
        assert (await counts.take(group, uses(20, **limits))).ok

    run(work)


def test_every_limit_must_fit_or_none_counts(run: Run, group: str, clock: Clock) -> None:
    async def work(counts: Counts) -> None:
        limits = {"tokens_per_minute": 100, "tokens_per_day": 150}
        assert (await counts.take(group, uses(100, **limits))).ok
        clock.now += 61_000
        refused = await counts.take(group, uses(60, **limits))

        assert [one.used for one in refused.standings] == [0, 100]
        minute, day = refused.standings
        assert (minute.fits_in, day.fits_in) == (0, 24 * 3_600_000 + 900_000 - 61_000)
        assert (await counts.take(group, uses(50, **limits))).ok

    run(work)


def test_a_request_larger_than_the_limit_never_fits(run: Run, group: str) -> None:
    async def work(counts: Counts) -> None:
        refused = await counts.take(group, uses(101, tokens_per_minute=100))

        assert (refused.ok, refused.standings[0].fits_in) == (False, None)

    run(work)


def test_what_was_used_beyond_the_prompt_counts_from_then_on(
    run: Run, group: str, clock: Clock
) -> None:
    async def work(counts: Counts) -> None:
        limit = uses(10, tokens_per_minute=100)
        taken = await counts.take(group, limit)
        clock.now += 59_000
        await counts.give(group, [Correction(limit[0].rule, taken.now, 85)])
        clock.now += 2_000

        refused = await counts.take(group, uses(20, tokens_per_minute=100))
        assert (refused.ok, refused.standings[0].used) == (False, 85)
        assert (await counts.take(group, uses(15, tokens_per_minute=100))).ok

    run(work)


def test_what_was_not_used_is_given_back_to_its_own_moment(
    run: Run, group: str, clock: Clock
) -> None:
    async def work(counts: Counts) -> None:
        limit = uses(90, tokens_per_minute=100)
        taken = await counts.take(group, limit)
        clock.now += 5_000
        await counts.give(group, [Correction(limit[0].rule, taken.now, -50)])
        assert (await counts.take(group, uses(60, tokens_per_minute=100))).ok
        clock.now += 61_000
        await counts.give(group, [Correction(limit[0].rule, taken.now, -40)])
        after = await counts.take(group, uses(100, tokens_per_minute=100))
        assert after.ok

    run(work)


def test_a_correction_never_goes_below_nothing(run: Run, group: str) -> None:
    async def work(counts: Counts) -> None:
        limit = uses(10, tokens_per_minute=100)
        taken = await counts.take(group, limit)
        await counts.give(group, [Correction(limit[0].rule, taken.now, -1_000)])

        full = await counts.take(group, uses(100, tokens_per_minute=100))
        assert (full.ok, full.standings[0].remaining) == (True, 0)

    run(work)


def test_groups_do_not_touch_each_other(run: Run, group: str) -> None:
    async def work(counts: Counts) -> None:
        one = uses(requests_per_minute=1)
        assert (await counts.take(group, one)).ok
        assert (await counts.take(f"{group}-other", one)).ok
        assert not (await counts.take(group, one)).ok

    run(work)


@pytest.mark.redis
def test_many_clients_of_redis_get_exactly_the_limit(redis_url: str, group: str) -> None:
    async def ask(client: SharedCounts) -> list[Taken]:
        return [await client.take(group, uses(requests_per_minute=37)) for _ in range(10)]

    async def work() -> list[list[Taken]]:
        clients = [SharedCounts(redis_url) for _ in range(8)]
        found = await asyncio.gather(*(ask(client) for client in clients))
        for client in clients:
            await client.close()
        return found

    assert sum(one.ok for answers in asyncio.run(work()) for one in answers) == 37


def test_a_group_that_no_longer_calls_is_forgotten(clock: Clock) -> None:
    async def work() -> int:
        counts = MemoryCounts(clock)
        await counts.take("gone", uses(1, tokens_per_day=10))
        clock.now += 3 * 24 * 3_600_000
        await counts.take("here", uses(1, tokens_per_day=10))
        return len(counts)

    assert asyncio.run(work()) == 1


def test_without_redis_a_process_counts_for_itself_and_says_so(group: str) -> None:
    async def work() -> None:
        counting = Counting("redis://127.0.0.1:1/0")
        answers = [await counting.take(group, uses(requests_per_minute=2)) for _ in range(3)]
        await counting.close()

        assert [one.degraded for one in answers] == [True, True, True]
        assert [one.taken.ok for one in answers] == [True, True, False]

    asyncio.run(work())


def test_without_a_configured_redis_nothing_is_degraded(group: str) -> None:
    async def work() -> None:
        counted = await Counting("").take(group, uses(requests_per_minute=2))

        assert (counted.degraded, counted.shared) == (False, False)

    asyncio.run(work())


def test_a_redis_that_does_not_answer_holds_a_request_no_longer_than_fifty_milliseconds(
    group: str,
) -> None:
    async def work() -> list[float]:
        loop = asyncio.get_running_loop()
        silent = asyncio.Event()

        async def listen(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await silent.wait()
            writer.close()

        server = await asyncio.start_server(listen, "127.0.0.1", 0)
        counting = Counting(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0")
        took = []
        for _ in range(20):
            begun = loop.time()
            assert (await counting.take(group, uses(requests_per_minute=100))).degraded
            took.append(loop.time() - begun)
        silent.set()
        await counting.close()
        server.close()
        await server.wait_closed()
        return took

    took = asyncio.run(work())

    assert took[0] < 1.0
    assert sum(took[1:]) < took[0] + 0.5
