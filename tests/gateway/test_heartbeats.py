"""Long requests keep their hold alive and say what they have cost so far."""

import json
from datetime import timedelta

import pytest

from tests.fakes.upstream import Gate
from tests.gateway.conftest import Serve, World
from tests.gateway.serving import chat, eventually
from wallets.models import Reservation

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]


SHORT_BUT_FOR_THE_TOTAL = {"connect": 0.3, "first_byte": 0.2, "idle": 0.2, "total": 60.0}


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.proxy.running.BEAT_EVERY_SECONDS", 0.05)
    monkeypatch.setattr("gateway.proxy.running.HEARTBEAT_SECONDS", 0.1)


def test_a_stream_notes_the_cost_of_what_it_delivered(world: World, serve: Serve) -> None:
    gate = Gate()
    world.upstream.behave(gate_after=(2, gate), words=("one", " two", " three"))
    gateway = serve()

    with gateway.asking(world.key, stream=True) as connection:
        response = connection.getresponse()
        response.readline()
        eventually(lambda: Reservation.objects.get().checkpoint > 0)
        held = Reservation.objects.get()
        gate.open()
        response.read()

    assert held.heartbeat_at > held.created_at
    # Two tokens of output and the prompt as counted here.
    prompt = world.event().cost
    assert 0 < held.checkpoint < held.amount
    assert prompt == 17_100


def test_a_plain_request_stays_alive_without_a_cost(world: World, serve: Serve) -> None:
    gate = Gate()
    world.upstream.behave(gate=gate)
    gateway = serve()

    with gateway.connection() as connection:
        connection.request(
            "POST", "/v1/chat/completions", json.dumps(chat()), {"x-consumer-group": world.key}
        )
        eventually(lambda: _alive_for(timedelta(0)))
        assert Reservation.objects.get().checkpoint == 0
        gate.open()
        assert connection.getresponse().status == 200


def test_a_plain_request_outlives_the_time_to_the_first_byte(world: World, serve: Serve) -> None:
    gate = Gate()
    world.upstream.behave(gate=gate)
    gateway = serve(target={"timeouts": SHORT_BUT_FOR_THE_TOTAL})

    with gateway.connection() as connection:
        connection.request(
            "POST", "/v1/chat/completions", json.dumps(chat()), {"x-consumer-group": world.key}
        )
        # Held and alive for longer than connecting and the first byte may take together.
        eventually(lambda: _alive_for(timedelta(seconds=1)))
        assert Reservation.objects.get().state == "held"
        gate.open()
        assert connection.getresponse().status == 200

    assert world.event().verdict == "allow"


def _alive_for(age: timedelta) -> bool:
    held = Reservation.objects.first()
    return held is not None and held.heartbeat_at - held.created_at > age
