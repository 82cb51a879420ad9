"""Pains with streams: free ones, and clients that leave."""

import json
from typing import Any

import pytest

from tests.fakes.upstream import Gate
from tests.gateway.conftest import Serve, World
from tests.gateway.pains.asking import COST, COUNTED, INPUT, OUTPUT, WRITTEN
from tests.gateway.serving import RunningGateway, chat, eventually
from wallets.models import Reservation

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]

ERROR = {"error": {"message": "word " * 500, "type": "server_error", "param": None, "code": None}}


def _hang_up_after(gateway: RunningGateway, world: World, text: bytes) -> None:
    """Read a stream until ``text`` has come, and close the connection."""
    with gateway.connection() as connection:
        headers = {"x-consumer-group": world.key}
        body = json.dumps(chat(stream=True))
        connection.request("POST", "/v1/chat/completions", body, headers)
        response: Any = connection.getresponse()
        while text not in response.readline():
            pass
        response.close()
    eventually(lambda: all(call.gone for call in gateway.application.running.calls()))


def test_pain_03_streams_recorded_at_zero(world: World, serve: Serve) -> None:
    gateway = serve()

    answer = gateway.chat(world.key, stream=True)

    assert b'"usage":{' not in answer.raw
    assert b": keeptrusts cost=0.0000171 balance=9.9999829\n\n" in answer.raw
    assert (world.event().cost, world.wallet.total_spent) == (COST, COST)


def test_pain_03_a_provider_that_reports_no_usage_is_counted(world: World, serve: Serve) -> None:
    world.upstream.behave(usage=None)
    gateway = serve()

    gateway.chat(world.key, stream=True)

    event = world.event()
    assert event.flags == ["usage_estimated"]
    assert event.cost == world.wallet.total_spent == COUNTED * INPUT + WRITTEN * OUTPUT


def test_pain_04_hang_up_and_pay_nothing(world: World, serve: Serve) -> None:
    gate = Gate()
    world.upstream.behave(gate_after=(1, gate))
    gateway = serve()

    _hang_up_after(gateway, world, b"Clouds")
    gate.open()

    event = world.event()
    assert (event.cost, event.flags) == (COST, ["client_disconnected"])
    assert world.wallet.total_spent == COST


def test_pain_05_hang_up_and_pay_too_much(world: World, serve: Serve) -> None:
    gate = Gate()
    world.upstream.behave(gate_after=(2, gate), words=("one", " two", " three"))
    gateway = serve(target={"on_disconnect": "stop"})

    _hang_up_after(gateway, world, b"two")

    event = world.event()
    gate.open()
    assert event.cost == world.wallet.total_spent == COUNTED * INPUT + 2 * OUTPUT


def test_pain_05_the_text_of_an_error_is_no_output(world: World, serve: Serve) -> None:
    raw = f"data: {json.dumps(ERROR)}\n\ndata: [DONE]\n\n".encode()
    world.upstream.behave(raw=raw, headers={"content-type": "text/event-stream"})
    gateway = serve()

    gateway.chat(world.key, stream=True)

    assert (world.event().cost, world.event().completion_tokens) == (0, 0)
    assert Reservation.objects.get().state == "refunded"


def test_pain_05_a_reported_zero_is_not_replaced_by_an_estimate(world: World, serve: Serve) -> None:
    world.upstream.behave(usage={"prompt_tokens": 0, "completion_tokens": 25})
    gateway = serve()

    gateway.chat(world.key, stream=True)

    event = world.event()
    assert (event.cost, event.prompt_tokens, event.flags) == (25 * OUTPUT, 0, [])
