"""How many requests run at a time, and who is refused first."""

from dataclasses import replace

import pytest

from gateway.proxy.crowd import Crowd
from gateway.proxy.errors import Rejected
from gateway.snapshot import Caller, TeamCard
from wallets.limits import Consumer

TEAM = TeamCard(id=1, slug="engineering", name="Engineering")
CONSUMER = Consumer(organization_id=1, zone="UTC", team_id=1)
ONE = Caller(organization_id=1, team=TEAM, consumer=CONSUMER, wallet=None, user_id=1)
TWO = replace(ONE, user_id=2)
THREE = replace(ONE, user_id=3)


MEGABYTE = 1024 * 1024


def _crowd(*, most: int = 100, most_per_key: int = 100) -> Crowd:
    return Crowd(most=most, most_per_key=most_per_key, most_bytes=40 * MEGABYTE)


def _refusal(crowd: Crowd, caller: Caller) -> tuple[int, str | None]:
    with pytest.raises(Rejected) as refused:
        crowd.enter(caller)
    return refused.value.status, refused.value.code


def test_a_key_has_a_bound_of_its_own() -> None:
    crowd = _crowd(most=100, most_per_key=2)
    crowd.enter(ONE)
    crowd.enter(ONE)
    assert _refusal(crowd, ONE) == (429, "too_many_concurrent_requests")
    crowd.enter(TWO)


def test_a_place_that_was_left_is_free() -> None:
    crowd = _crowd(most=100, most_per_key=1)
    crowd.leave(crowd.enter(ONE))
    crowd.enter(ONE)


def test_the_last_places_are_for_keys_with_less_than_their_share() -> None:
    crowd = _crowd(most=10, most_per_key=10)
    for _ in range(8):
        crowd.enter(ONE)
    crowd.enter(TWO)
    assert _refusal(crowd, ONE) == (429, "too_many_concurrent_requests")
    crowd.enter(TWO)


def test_a_key_alone_may_take_every_place() -> None:
    crowd = _crowd(most=10, most_per_key=10)
    for _ in range(10):
        crowd.enter(ONE)
    assert _refusal(crowd, TWO) == (503, "gateway_busy")


def test_a_newcomer_gets_a_place_while_there_is_one() -> None:
    crowd = _crowd(most=10, most_per_key=10)
    for _ in range(9):
        crowd.enter(ONE)
    crowd.enter(THREE)


def test_a_refusal_says_when_to_come_back() -> None:
    crowd = _crowd(most=1, most_per_key=1)
    crowd.enter(ONE)
    with pytest.raises(Rejected) as refused:
        crowd.enter(ONE)
    assert refused.value.retry_after == 1


def test_all_keys_of_a_person_count_as_one() -> None:
    crowd = _crowd(most_per_key=1)
    crowd.enter(replace(ONE, key_id=1))
    assert _refusal(crowd, replace(ONE, key_id=2)) == (429, "too_many_concurrent_requests")


def test_all_keys_of_a_consumer_group_count_as_one() -> None:
    crowd = _crowd(most_per_key=1)
    group = replace(ONE, user_id=None, group_name="batch")
    crowd.enter(replace(group, key_id=1, group_id=1))
    assert _refusal(crowd, group) == (429, "too_many_concurrent_requests")
    crowd.enter(replace(group, group_name="web"))


def _no_room(crowd: Crowd, caller: Caller, size: int) -> tuple[int, str | None]:
    place = crowd.enter(caller)
    with pytest.raises(Rejected) as refused:
        crowd.hold(place, size)
    crowd.leave(place)
    return refused.value.status, refused.value.code


def test_bodies_of_one_caller_take_at_most_a_quarter_of_the_bytes() -> None:
    crowd = _crowd()
    crowd.hold(crowd.enter(ONE), 10 * MEGABYTE)
    assert _no_room(crowd, ONE, 1) == (429, "too_many_concurrent_requests")
    crowd.hold(crowd.enter(TWO), 10 * MEGABYTE)


def test_no_body_is_read_beyond_the_bytes_of_a_process() -> None:
    crowd = _crowd()
    for user in range(4):
        crowd.hold(crowd.enter(replace(ONE, user_id=user)), 10 * MEGABYTE)
    assert _no_room(crowd, replace(ONE, user_id=4), 1) == (503, "gateway_busy")


def test_bytes_come_back_with_their_place() -> None:
    crowd = _crowd()
    place = crowd.enter(ONE)
    crowd.hold(place, 4 * MEGABYTE)
    crowd.hold(place, 6 * MEGABYTE)
    crowd.leave(place)
    crowd.hold(crowd.enter(ONE), 10 * MEGABYTE)
