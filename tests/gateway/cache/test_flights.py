"""Equal requests at the same time: one call to the provider, one charge, the rest are hits."""

import asyncio
import json
import threading
from collections import Counter
from typing import Any

import pytest

from gateway.models import DecisionEvent
from tests import factories
from tests.fakes.upstream import Gate
from tests.gateway.cache.conftest import Serve, ask_at_once, same
from tests.gateway.conftest import World
from tests.gateway.serving import Answer, RunningGateway, chat, eventually
from wallets import verification
from wallets.models import Waiter

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]

COST = 17_100
CLIENTS = 100


def caches(answers: list[Answer]) -> Counter[str]:
    return Counter(answer.headers["x-keeptrusts-cache"] for answer in answers)


def waiting(gateway: RunningGateway, count: int) -> None:
    """Wait until the gateway has so many requests under way."""
    eventually(lambda: len(gateway.application.running) == count, what=f"{count} under way")


def opened_when_all_wait(gateway: RunningGateway, gate: Gate, count: int) -> Any:
    def open_gate() -> None:
        assert gate.reached.wait(20)
        waiting(gateway, count)
        gate.open()

    return open_gate


@pytest.mark.parametrize("form", ["plain", "stream", "mixed"])
def test_a_hundred_equal_requests_are_one_call_and_one_charge(
    world: World, cached: Serve, form: str
) -> None:
    gateway, gate = cached(), Gate()
    world.upstream.behave(gate=gate)
    before = world.wallet.posted
    streams = {"plain": [False], "stream": [True], "mixed": [True, False]}[form]
    bodies = [chat(stream=streams[number % len(streams)]) for number in range(CLIENTS)]

    answers = asyncio.run(
        ask_at_once([gateway], world, bodies, began=opened_when_all_wait(gateway, gate, CLIENTS))
    )

    assert {answer.status for answer in answers} == {200}
    assert caches(answers) == {"miss": 1, "hit": CLIENTS - 1}
    assert all(b"drift" in answer.raw for answer in answers)
    assert len(world.upstream.requests) == 1
    eventually(lambda: DecisionEvent.objects.filter(verdict="cached").count() == CLIENTS - 1)
    wallet = world.wallet
    assert (before - wallet.posted, wallet.reserved, wallet.total_spent) == (COST, 0, COST)
    assert verification.verify().problems == []


def test_followers_of_a_failed_call_are_each_decided_alone(world: World, cached: Serve) -> None:
    gateway, gate = cached(), Gate()
    world.upstream.behave(gate=gate, status=500, error={"error": {"message": "broken"}})

    answers = asyncio.run(
        ask_at_once([gateway], world, same(5), began=opened_when_all_wait(gateway, gate, 5))
    )

    assert [answer.status for answer in answers] == [500] * 5
    assert caches(answers) == {"miss": 5}
    assert world.wallet.total_spent == 0


def test_who_can_pay_leads_where_who_came_first_cannot(world: World, cached: Serve) -> None:
    """A refusal of the first wallet says nothing about the others: the next one leads."""
    poor = factories.make_team(world.organization, "poor", draws_on_parent=False)
    group = {"name": "poor", "api_key": "kt_cg_poor", "wallet_team_id": f"team_{poor.slug}"}
    policy = world.policy()
    gateway = cached(
        cache={"fabric_scope": "org"}, consumer_groups=[*policy["consumer_groups"], group]
    )

    answers = asyncio.run(
        ask_at_once([gateway], world, same(20), keys=["kt_cg_poor", "kt_cg_poor", world.key])
    )

    statuses = Counter(answer.status for answer in answers)
    assert len(world.upstream.requests) == 1
    assert statuses[200] >= 6
    assert statuses[200] + statuses[402] == 20
    assert world.wallet.total_spent == COST
    assert factories.team_wallet(poor).total_spent == 0


def test_who_can_pay_leads_where_who_came_first_waits_for_money(
    world: World, cached: Serve
) -> None:
    poor = factories.make_team(world.organization, "poor", draws_on_parent=False)
    group = {
        "name": "poor",
        "api_key": "kt_cg_poor",
        "wallet_team_id": f"team_{poor.slug}",
        "on_exhausted": "hold",
    }
    own = world.policy()["consumer_groups"]
    gateway = cached(
        cache={"fabric_scope": "org"},
        consumer_groups=[*own, group],
        cost_tracking={"hold_timeout_seconds": 600},
    )
    answers: list[Answer] = []
    first = threading.Thread(target=lambda: answers.append(gateway.chat("kt_cg_poor")))
    first.start()
    eventually(lambda: Waiter.objects.count() == 1, what="the first one waits for money")

    second = gateway.chat(world.key)

    assert (second.status, second.headers["x-keeptrusts-cache"]) == (200, "miss")
    factories.fund(factories.team_wallet(poor), 1)
    first.join(30)
    assert [answer.status for answer in answers] == [200]


def test_a_leader_whose_client_leaves_strands_nobody(world: World, cached: Serve) -> None:
    gateway, gate = cached(), Gate()
    world.upstream.behave(gate_after=(1, gate))
    with gateway.connection() as leader:
        body = json.dumps(chat(stream=True))
        leader.request("POST", "/v1/chat/completions", body, {"x-consumer-group": world.key})
        assert gate.reached.wait(20)
        answers: list[Answer] = []
        follower = threading.Thread(target=lambda: answers.append(gateway.chat(world.key)))
        follower.start()
        waiting(gateway, 2)
    gate.open()
    follower.join(30)

    assert [(answer.status, answer.headers["x-keeptrusts-cache"]) for answer in answers] == [
        (200, "hit")
    ]
    assert len(world.upstream.requests) == 1
    assert world.event(verdict="allow").cost == COST


def test_a_leader_that_is_stopped_with_its_client_leaves_the_others_to_themselves(
    world: World, cached: Serve
) -> None:
    gateway, gate = cached(target={"on_disconnect": "stop"}), Gate()
    world.upstream.behave(gate_after=(1, gate))
    answers: list[Answer] = []
    with gateway.connection() as leader:
        body = json.dumps(chat(stream=True))
        leader.request("POST", "/v1/chat/completions", body, {"x-consumer-group": world.key})
        assert gate.reached.wait(20)
        follower = threading.Thread(target=lambda: answers.append(gateway.chat(world.key)))
        follower.start()
        waiting(gateway, 2)
        world.upstream.behave()
    follower.join(30)
    gate.open()

    assert [(answer.status, answer.headers["x-keeptrusts-cache"]) for answer in answers] == [
        (200, "miss")
    ]
    assert len(world.upstream.requests) == 2


def test_followers_that_leave_disturb_nobody(world: World, cached: Serve) -> None:
    gateway, gate = cached(), Gate()
    world.upstream.behave(gate=gate)
    answers: list[Answer] = []
    leader = threading.Thread(target=lambda: answers.append(gateway.chat(world.key)))
    leader.start()
    assert gate.reached.wait(20)
    with gateway.connection() as follower:
        headers = {"x-consumer-group": world.key}
        follower.request("POST", "/v1/chat/completions", json.dumps(chat()), headers)
        waiting(gateway, 2)
    gate.open()
    leader.join(30)

    assert [answer.status for answer in answers] == [200]
    event = world.event(verdict="cached")
    assert (event.cost, event.flags) == (0, ["client_disconnected"])


def test_no_flight_is_left_behind(world: World, cached: Serve) -> None:
    gateway = cached()
    gateway.chat(world.key)
    world.upstream.behave(status=500, error={"error": {"message": "broken"}})
    gateway.chat(world.key, seed=1)

    flights = gateway.application.stages[-1]._flights  # type: ignore[attr-defined]
    eventually(lambda: len(flights) == 0, what="no flights")
