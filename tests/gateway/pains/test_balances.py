"""Pains with balances: overspent, locked up, late, forgotten."""

from collections import Counter
from datetime import timedelta

import pytest

from gateway.models import DecisionEvent
from keeptrusts.lib import money
from tests import factories
from tests.gateway.conftest import Serve, World
from tests.gateway.pains.asking import COST, FULL, HOLD, MAX_TOKENS, many
from tests.gateway.serving import eventually
from wallets import allocations, sweeper, verification
from wallets.models import Entry, Limit, Reservation

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]

AT_ONCE = {"contention_wait_seconds": 0}


def _team_with(world: World, holds: int) -> None:
    """A team whose wallet can pay for exactly so many requests, and for nothing else."""
    world.team = factories.make_team(
        world.organization, "exact", balance=money.dollars(HOLD * holds), draws_on_parent=False
    )


def test_pain_01_parallel_calls_all_pass_the_check(world: World, serve: Serve) -> None:
    _team_with(world, 5)
    world.upstream.behave(usage=FULL)
    gateway = serve()

    answers = many([gateway], world, 40)

    assert Counter(answer.status for answer in answers) == {200: 5, 402: 35}
    assert len(world.upstream.requests) == 5
    wallet = world.wallet
    assert (wallet.posted, wallet.reserved, wallet.total_spent) == (0, 0, 5 * HOLD)


def test_pain_02_leaked_holds_block_people_who_have_money(world: World, serve: Serve) -> None:
    _team_with(world, 1)
    gateway = serve(cost_tracking=AT_ONCE)
    broken = ({"reset": True}, {"status": 400, "error": {"error": {}}}, {"raw": b"<html>"})
    for failure in (*broken, {"raw": b'{"choices": []}'}, {"cut_after": 0}):
        world.upstream.behave(**failure)
        assert gateway.chat(world.key, max_tokens=MAX_TOKENS).status >= 400
        assert gateway.chat(world.key, max_tokens=MAX_TOKENS, stream=True).status
        assert (world.wallet.posted, world.wallet.reserved) == (HOLD, 0), failure

    world.upstream.behave(usage=FULL)

    assert gateway.chat(world.key, max_tokens=MAX_TOKENS).status == 200
    assert world.wallet.posted == 0


def test_pain_02_the_hold_of_a_process_that_died_is_swept(world: World, serve: Serve) -> None:
    _team_with(world, 1)
    factories.hold(world.wallet, money.dollars(HOLD))
    gateway = serve(cost_tracking=AT_ONCE)
    assert gateway.chat(world.key, max_tokens=MAX_TOKENS).status == 402

    sweeper.sweep(older_than=timedelta(0))

    assert gateway.chat(world.key, max_tokens=MAX_TOKENS).status == 200
    assert world.wallet.total_spent == COST


@pytest.mark.postgres_only
def test_pain_13_each_replica_has_its_own_counter(world: World, serve: Serve) -> None:
    Limit.objects.create(
        organization=world.organization, team=world.team, period="day", amount=5 * HOLD
    )
    world.upstream.behave(usage=FULL)
    replicas = [serve(), serve()]

    answers = many(replicas, world, 40)

    assert Counter(answer.status for answer in answers) == {200: 5, 402: 35}
    assert world.wallet.total_spent == 5 * HOLD


def test_pain_13_a_restart_forgets_nothing_of_a_limit(world: World, serve: Serve) -> None:
    Limit.objects.create(
        organization=world.organization, team=world.team, period="day", amount=HOLD
    )
    world.upstream.behave(usage=FULL)
    first = serve()
    assert first.chat(world.key, max_tokens=MAX_TOKENS).status == 200
    first.stop()

    answer = serve().chat(world.key, max_tokens=MAX_TOKENS)

    assert (answer.status, answer.error["code"]) == (402, "daily_limit_exceeded")


def test_pain_16_spend_writes_deadlock_or_drop_rows(world: World, serve: Serve) -> None:
    gateway = serve()

    answers = many([gateway], world, 100)

    assert Counter(answer.status for answer in answers) == {200: 100}
    eventually(lambda: DecisionEvent.objects.filter(cost=COST).count() == 100)
    assert Entry.objects.filter(type="settle").count() == 100
    assert Reservation.objects.filter(state="settled", charged=COST).count() == 100
    assert world.wallet.total_spent == 100 * COST
    assert verification.verify().problems == []


def test_pain_18_the_balance_lags_the_traffic(world: World, serve: Serve) -> None:
    gateway = serve()

    for count in range(1, 6):
        answer = gateway.chat(world.key)
        # No waiting here: the answer comes after its charge.
        wallet = world.wallet
        assert wallet.total_spent == count * COST
        assert answer.headers["x-keeptrusts-balance"] == money.token(wallet.posted)


def test_pain_22_people_ask_for_prepaid_credits_and_temporary_raises(
    world: World, serve: Serve
) -> None:
    _team_with(world, 0)
    gateway = serve(cost_tracking=AT_ONCE)
    refused = gateway.chat(world.key, max_tokens=MAX_TOKENS)
    assert (refused.status, refused.error["code"]) == (402, "insufficient_balance")

    top = factories.organization_wallet(world.organization)
    allocations.allocate(
        organization=world.organization, source=top, target=world.wallet, amount=HOLD, actor="test"
    )

    assert gateway.chat(world.key, max_tokens=MAX_TOKENS).status == 200
    wallet = world.wallet
    assert (wallet.total_allocated, wallet.total_spent) == (HOLD, COST)
