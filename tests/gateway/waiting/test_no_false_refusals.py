"""Who could pay once others have settled is not refused: it waits for them."""

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import orjson
import pytest

from gateway.models import DecisionEvent
from keeptrusts.lib import money
from tests.fakes.upstream import Gate
from tests.gateway.conftest import Serve, World
from tests.gateway.serving import Answer, RunningGateway, eventually
from tests.gateway.waiting.crowds import (
    MODEL,
    ask_all,
    poor_team,
    statuses,
    usage_that_costs,
    worst_case,
)
from wallets import revisions, verification
from wallets.models import Reservation, Stop, Waiter

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]

CALLS, AT_ONCE, DOLLAR = 200, 50, 1_000_000_000


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_dollar_that_pays_for_877_calls_refuses_none_of_200(
    world: World, serve: Serve, stream: bool
) -> None:
    """Two dozen worst cases fit into it at once; fifty clients ask at once."""
    usage, cost = usage_that_costs(16, 110)
    assert DOLLAR // cost == 877
    assert DOLLAR // worst_case(world) == 24
    poor_team(world, DOLLAR)
    world.upstream.behave(usage=usage, delay=0.2)
    gateway = serve()

    answers = asyncio.run(
        ask_all(gateway.url, world.key, clients=CALLS, at_once=AT_ONCE, stream=stream)
    )

    assert statuses(answers) == {200: CALLS}
    assert (world.wallet.total_spent, world.wallet.reserved) == (CALLS * cost, 0)
    assert not Waiter.objects.exists()
    assert verification.verify().problems == []


def test_of_200_at_once_exactly_those_pass_that_the_wallet_can_pay(
    world: World, serve: Serve
) -> None:
    hold = worst_case(world, max_tokens=50)
    prompt = (hold - 50 * 10_000) // 2_500
    usage, cost = usage_that_costs(prompt, 50)
    assert cost == hold
    poor_team(world, 10 * hold)
    world.upstream.behave(usage=usage, delay=0.2)
    gateway = serve(cost_tracking={"contention_wait_seconds": 1.0})

    answers = asyncio.run(
        ask_all(gateway.url, world.key, clients=CALLS, at_once=CALLS, max_tokens=50)
    )

    assert statuses(answers) == {200: 10, 402: CALLS - 10}
    assert len(world.upstream.requests) == 10
    assert (world.wallet.posted, world.wallet.total_spent) == (0, 10 * hold)
    eventually(lambda: DecisionEvent.objects.count() == CALLS)
    assert not Waiter.objects.exists()
    assert verification.verify().problems == []


class Contended:
    """A wallet that one running request holds, and another that waits behind it."""

    def __init__(self, world: World, serve: Serve, **cost_tracking: Any) -> None:
        self.world = world
        self.gate = Gate()
        self.hold = worst_case(world)
        poor_team(world, self.hold * 3 // 2)
        usage, self.cost = usage_that_costs(16, 110)
        world.upstream.behave(usage=usage)
        world.upstream.once(usage=usage, gate=self.gate)
        self.gateway: RunningGateway = serve(cost_tracking=cost_tracking)
        self._threads = ThreadPoolExecutor(32)
        self.first = self.ask()
        eventually(self.gate.reached.is_set)

    def ask(self) -> "Future[Answer]":
        """Send a request from a thread of its own."""
        return self._threads.submit(self.gateway.chat, self.world.key, model=MODEL)

    def second(self) -> "Future[Answer]":
        """One that waits, once it does."""
        before = Waiter.objects.count()
        asked = self.ask()
        eventually(lambda: Waiter.objects.count() == before + 1, what="it waits")
        return asked


def test_a_settle_wakes_the_oldest_at_once(world: World, serve: Serve) -> None:
    contended = Contended(world, serve)
    waiting = contended.second()

    contended.gate.open()

    assert (contended.first.result().status, waiting.result().status) == (200, 200)
    waited = DecisionEvent.objects.get(details__has_key="waited_ms").details["waited_ms"]
    assert 0 < waited < 10_000
    assert world.wallet.total_spent == 2 * contended.cost


def test_at_the_end_of_its_patience_it_is_refused_as_without_waiting(
    world: World, serve: Serve
) -> None:
    contended = Contended(world, serve, contention_wait_seconds=0.3)

    refused = contended.ask().result()

    assert (refused.status, refused.error["code"]) == (402, "insufficient_balance")
    assert refused.error["details"]["contended"] is True
    assert world.event(verdict="block").details["waited_ms"] >= 300
    assert not Waiter.objects.exists()
    contended.gate.open()
    assert contended.first.result().status == 200


def test_without_patience_nobody_waits(world: World, serve: Serve) -> None:
    contended = Contended(world, serve, contention_wait_seconds=0)

    refused = contended.ask().result()

    assert refused.status == 402
    assert "waited_ms" not in world.event(verdict="block").details
    contended.gate.open()
    assert contended.first.result().status == 200


def test_where_the_money_is_not_there_at_all_the_answer_is_immediate(
    world: World, serve: Serve
) -> None:
    poor_team(world, worst_case(world) - 1)
    gateway = serve()

    refused = gateway.chat(world.key, model=MODEL)

    assert refused.status == 402
    assert refused.error["details"]["contended"] is False
    assert "waited_ms" not in world.event().details


def test_a_client_that_leaves_frees_its_place_at_once(world: World, serve: Serve) -> None:
    import http.client

    contended = Contended(world, serve)
    client = http.client.HTTPConnection("127.0.0.1", contended.gateway.port)
    body = orjson.dumps({"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]})
    client.request("POST", "/v1/chat/completions", body, {"x-consumer-group": world.key})
    eventually(lambda: Waiter.objects.count() == 1)

    client.close()

    eventually(lambda: not Waiter.objects.exists(), seconds=2)
    event = world.event(verdict="error")
    assert (event.status, event.reason_code, event.cost) == (499, "client_disconnected", 0)
    contended.gate.open()
    assert contended.first.result().status == 200
    assert world.wallet.reserved == 0


def test_a_stop_switch_ends_those_who_wait(world: World, serve: Serve) -> None:
    contended = Contended(world, serve, contention_wait_seconds=60.0)
    waiting = contended.second()

    Stop.objects.create(
        organization=world.organization, scope="team", target=world.team.public_id,
        created_by="test",
    )  # fmt: skip
    revisions.bump()

    refused = waiting.result(timeout=10)
    assert (refused.status, refused.error["code"]) == (402, "stopped")
    eventually(lambda: not Waiter.objects.exists())
    contended.gate.open()
    assert contended.first.result().status == 200


def test_a_gateway_that_shuts_down_ends_those_who_wait(world: World, serve: Serve) -> None:
    contended = Contended(world, serve, contention_wait_seconds=60.0)
    waiting = contended.second()

    stopping = threading.Thread(target=contended.gateway.stop)
    stopping.start()

    assert waiting.exception(timeout=20) is not None or waiting.result().status >= 500
    contended.gate.open()
    stopping.join(30)
    assert not Waiter.objects.exists()
    assert not Reservation.objects.filter(state="held").exists()


def test_at_a_signal_to_stop_those_who_wait_are_told_at_once(world: World, serve: Serve) -> None:
    contended = Contended(world, serve, contention_wait_seconds=60.0)
    waiting = contended.second()
    application = contended.gateway.application

    assert application._loop is not None
    application._loop.call_soon_threadsafe(application.stopping)

    refused = waiting.result(timeout=20)
    assert (refused.status, refused.error["code"]) == (503, "shutdown")
    assert contended.gateway.request("GET", "/readyz").status == 503
    contended.gate.open()
    assert contended.first.result().status == 200


def test_nothing_runs_while_nobody_waits(world: World, serve: Serve) -> None:
    gateway = serve()
    assert gateway.chat(world.key).status == 200

    room = gateway.application.paying._room
    assert (room._looking, len(room), gateway.application.settlement.freed) == (None, 0, None)
    assert not [t for t in threading.enumerate() if t.name.startswith("waiting")]


def test_everything_rests_again_when_nobody_waits_any_more(world: World, serve: Serve) -> None:
    contended = Contended(world, serve)
    waiting = contended.second()
    contended.gate.open()
    assert waiting.result().status == 200

    room = contended.gateway.application.paying._room
    eventually(lambda: room._looking is None)
    assert (len(room), room._lines) == (0, {})
    assert contended.gateway.application.settlement.freed is None


def test_no_more_are_woken_than_the_freed_money_can_pay(world: World, serve: Serve) -> None:
    """One place after the other: with ten in line, ten holds ask twice, not a hundred times."""
    contended = Contended(world, serve, contention_wait_seconds=60.0)
    line = [contended.second() for _ in range(10)]
    asked = 0
    room = contended.gateway.application.paying._room
    ask = room.ask

    async def counted(operation: Any) -> Any:
        nonlocal asked
        asked += 1
        return await ask(operation)

    room.ask = counted  # type: ignore[method-assign]
    contended.gate.open()

    assert [future.result().status for future in line] == [200] * 10
    assert asked <= 20
    assert world.wallet.total_spent == 11 * contended.cost
    assert money.dollars(world.wallet.reserved) == 0
    assert not Reservation.objects.filter(state="held").exists()
