"""Streams whose hold grows, and what goes wrong meanwhile: nothing is given away, nothing spins."""

import http.client
import json
import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.models import ModelPrice
from tests.fakes.upstream import FakeUpstream, Gate
from tests.gateway.conftest import Serve, World
from tests.gateway.serving import RunningGateway, chat, eventually
from tests.gateway.waiting.crowds import MODEL, poor_team, usage_that_costs, worst_case
from wallets.models import Reservation, Waiter

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]

OUT = 10_000
WORDS = tuple(f"{number:04d}" for number in range(600))


def _prompt(world: World) -> int:
    return worst_case(world, max_tokens=1) - OUT


def _price(times: float) -> None:
    """What the model costs at another provider, in terms of its price here."""
    ModelPrice.objects.create(
        provider="other", model=MODEL, valid_from=datetime(2020, 1, 1, tzinfo=UTC),
        input=int(2_500_000_000 * times), output=int(10_000_000_000 * times),
        created_by="user_test",
    )  # fmt: skip


def test_an_answer_of_more_bytes_than_tokens_may_be_passes(world: World, serve: Serve) -> None:
    usage, cost = usage_that_costs(14, 300)
    world.upstream.behave(words=("word ",) * 300, usage=usage)
    answer = serve().chat(world.key, model=MODEL, stream=True, max_tokens=300)
    assert answer.raw.count(b"word ") == 300
    event = world.event()
    assert (event.verdict, event.cost, event.written_off) == ("allow", cost, 0)


def test_a_refused_fallback_leaves_a_hold_that_grows(world: World, serve: Serve) -> None:
    _price(20)
    with FakeUpstream() as second:
        usage, _ = usage_that_costs(14, 2_400)
        world.upstream.behave(words=WORDS, usage=usage)
        world.upstream.once(status=503, error={"message": "busy"})
        poor_team(world, _prompt(world) + 300 * OUT)
        dearer = {"id": "second", "provider": "other", "base_url": second.url, "priority": 1}
        first = {"id": "first", "provider": "openai", "base_url": world.upstream.url}
        gateway = serve(
            providers={"targets": [first, dearer]},
            cost_tracking={"contention_wait_seconds": 0.0},
        )
        gateway.chat(world.key, model=MODEL, stream=True)
    assert world.event().written_off == 0
    assert not Reservation.objects.filter(state="held").exists()


class Reader(threading.Thread):
    """A client that reads a stream to its end, whatever that is."""

    def __init__(self, gateway: RunningGateway, world: World) -> None:
        super().__init__()
        self.seen = b""
        self._gateway, self._key = gateway, world.key
        self.start()

    def run(self) -> None:
        """Read."""
        connection = http.client.HTTPConnection("127.0.0.1", self._gateway.port, timeout=60)
        body = json.dumps(chat(model=MODEL, stream=True))
        connection.request("POST", "/v1/chat/completions", body, {"x-consumer-group": self._key})
        response = connection.getresponse()
        while part := response.read1(65_536):
            self.seen += part
        connection.close()


def test_a_wait_that_is_ended_from_outside_pays_for_what_was_delivered(
    world: World, serve: Serve
) -> None:
    gate = Gate()
    poor_team(world, 2 * _prompt(world) + 2_800 * OUT)
    world.upstream.behave(words=WORDS, usage=None)
    world.upstream.once(gate=gate)
    gateway = serve(cost_tracking={"contention_wait_seconds": 60.0})
    other: dict[str, Any] = {"model": MODEL, "max_tokens": 1_500}
    first = threading.Thread(target=gateway.chat, args=(world.key,), kwargs=other)
    first.start()
    eventually(gate.reached.is_set)
    reader = Reader(gateway, world)
    eventually(lambda: Waiter.objects.exists(), what="an extension that waits")

    application = gateway.application
    assert application._loop is not None
    application._loop.call_soon_threadsafe(application.stopping)
    reader.join(30)
    gate.open()
    first.join(30)

    event = world.event(streamed=True)
    delivered = sum(word.encode() in reader.seen for word in WORDS)
    assert delivered > 0
    assert (event.verdict, event.reason_code, event.written_off) == ("error", "shutdown", 0)
    assert event.cost is not None and event.cost >= delivered * OUT
    assert b'"code":"shutdown"' in reader.seen
    assert Reservation.objects.get(pk=event.reservation).state == "settled"


def test_a_cheaper_fallback_is_held_whole_and_not_cut(world: World, serve: Serve) -> None:
    _price(0.001)
    usage, _ = usage_that_costs(14, 2_400)
    with FakeUpstream() as second:
        second.behave(words=WORDS, usage=usage)
        world.upstream.behave(status=503, error={"message": "busy"})
        poor_team(world, _prompt(world) + 300 * OUT)
        cheaper = {"id": "second", "provider": "other", "base_url": second.url, "priority": 1}
        first = {"id": "first", "provider": "openai", "base_url": world.upstream.url}
        gateway = serve(
            providers={"targets": [first, cheaper]}, cost_tracking={"contention_wait_seconds": 0.0}
        )
        answer = gateway.chat(world.key, model=MODEL, stream=True)
    event = world.event()
    assert (event.verdict, event.target, event.written_off) == ("allow", "second", 0)
    assert b"0599" in answer.raw
