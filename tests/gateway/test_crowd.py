"""How many requests run at a time, and who is refused first."""

from dataclasses import replace

import pytest

from gateway.proxy.crowd import Crowd
from gateway.proxy.errors import Rejected
from gateway.snapshot import Caller, TeamCard
from wallets.limits import Consumer

TEAM = TeamCard(id=1, slug="engineering", name="Engineering")
CONSUMER = Consumer(organization_id=1, zone="UTC", team_id=1)
ONE = Caller(organization_id=1, team=TEAM, consumer=CONSUMER, wallet=None, key_id=1)
TWO = replace(ONE, key_id=2)
THREE = replace(ONE, key_id=3)


def _refusal(crowd: Crowd, caller: Caller) -> tuple[int, str | None]:
    with pytest.raises(Rejected) as refused:
        crowd.enter(caller)
    return refused.value.status, refused.value.code


def test_a_key_has_a_bound_of_its_own() -> None:
    crowd = Crowd(most=100, most_per_key=2)
    crowd.enter(ONE)
    crowd.enter(ONE)
    assert _refusal(crowd, ONE) == (429, "too_many_concurrent_requests")
    crowd.enter(TWO)


def test_a_place_that_was_left_is_free() -> None:
    crowd = Crowd(most=100, most_per_key=1)
    crowd.leave(crowd.enter(ONE))
    crowd.enter(ONE)


def test_the_last_places_are_for_keys_with_less_than_their_share() -> None:
    crowd = Crowd(most=10, most_per_key=10)
    for _ in range(8):
        crowd.enter(ONE)
    crowd.enter(TWO)
    assert _refusal(crowd, ONE) == (429, "too_many_concurrent_requests")
    crowd.enter(TWO)


def test_a_key_alone_may_take_every_place() -> None:
    crowd = Crowd(most=10, most_per_key=10)
    for _ in range(10):
        crowd.enter(ONE)
    assert _refusal(crowd, TWO) == (503, "gateway_busy")


def test_a_newcomer_gets_a_place_while_there_is_one() -> None:
    crowd = Crowd(most=10, most_per_key=10)
    for _ in range(9):
        crowd.enter(ONE)
    crowd.enter(THREE)


def test_a_refusal_says_when_to_come_back() -> None:
    crowd = Crowd(most=1, most_per_key=1)
    crowd.enter(ONE)
    with pytest.raises(Rejected) as refused:
        crowd.enter(ONE)
    assert refused.value.retry_after == 1
