"""Clients that leave: they pay for what was produced, and no hold stays open."""

import json
import socket
from contextlib import ExitStack

import pytest
from django.db import transaction

from gateway.models import DecisionEvent
from tests.fakes.upstream import Gate
from tests.gateway.conftest import Serve, World
from tests.gateway.serving import RunningGateway, chat, eventually
from wallets import revisions
from wallets.models import Reservation, Stop, Wallet

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]


def _request(key: str, **fields: object) -> bytes:
    body = json.dumps(chat(**fields)).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nx-consumer-group: {key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _leave(
    gateway: RunningGateway,
    key: str,
    *,
    when_seen: bytes = b"",
    reaches: Gate | None = None,
    **fields: object,
) -> None:
    """Send a request, wait until ``when_seen`` is back or the provider has it, and hang up."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as connection:
        connection.sendall(_request(key, **fields))
        seen = b""
        while when_seen and when_seen not in seen:
            seen += connection.recv(65_536)
        if reaches is not None:
            eventually(reaches.reached.is_set)
        elif not when_seen:
            eventually(lambda: Reservation.objects.filter(state="held").exists())


def test_who_leaves_in_mid_stream_pays_for_the_whole_answer(world: World, serve: Serve) -> None:
    gate = Gate()
    world.upstream.behave(gate_after=(1, gate))
    gateway = serve()

    _leave(gateway, world.key, when_seen=b"Clouds", stream=True)
    eventually(lambda: _has_left(gateway))
    gate.open()

    event = world.event()
    assert (event.verdict, event.cost) == ("allow", 17_100)
    assert event.flags == ["client_disconnected"]
    assert world.wallet.total_spent == 17_100


def _has_left(gateway: RunningGateway) -> bool:
    calls = list(gateway.application.running._calls)
    return bool(calls) and all(call.gone for call in calls)


def test_who_leaves_before_the_first_byte_pays_too(world: World, serve: Serve) -> None:
    gate = Gate()
    world.upstream.behave(gate=gate)
    gateway = serve()

    _leave(gateway, world.key, reaches=gate, stream=True)
    eventually(lambda: _has_left(gateway))
    gate.open()

    assert world.event().cost == 17_100
    assert world.wallet.total_spent == 17_100


def test_who_leaves_a_plain_request_pays_for_it(world: World, serve: Serve) -> None:
    gate = Gate()
    world.upstream.behave(gate=gate)
    gateway = serve()

    _leave(gateway, world.key, reaches=gate)
    eventually(lambda: _has_left(gateway))
    gate.open()

    event = world.event()
    assert (event.cost, event.flags) == (17_100, ["client_disconnected"])
    world.closed()


def test_without_room_for_another_drain_what_came_is_charged(
    world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.proxy.running.MAX_DRAINS", 0)
    gate = Gate()
    world.upstream.behave(gate_after=(2, gate), words=("one", " two", " three"))
    gateway = serve()

    _leave(gateway, world.key, when_seen=b"two", stream=True)

    event = world.event()
    gate.open()
    assert (event.completion_tokens, event.reason_code) == (2, "client_disconnected")
    assert event.flags == ["client_disconnected", "usage_estimated"]
    assert world.wallet.total_spent == event.cost > 0


def test_many_who_leave_at_once_leave_no_hold(world: World, serve: Serve) -> None:
    gate = Gate()
    world.upstream.behave(gate_after=(1, gate))
    gateway = serve()

    for _ in range(20):
        _leave(gateway, world.key, when_seen=b"Clouds", stream=True)
    gate.open()

    eventually(lambda: DecisionEvent.objects.count() == 20)
    world.closed()
    assert world.wallet.total_spent == 20 * 17_100


def test_a_shutdown_charges_what_came_and_leaves_no_hold(world: World, serve: Serve) -> None:
    gate = Gate()
    world.upstream.behave(gate_after=(2, gate), words=("one", " two", " three"))
    gateway = serve()

    _leave(gateway, world.key, when_seen=b"two", stream=True)
    eventually(lambda: _has_left(gateway))
    gateway.stop()
    gate.open()

    event = DecisionEvent.objects.get()
    assert (event.reason_code, event.completion_tokens) == ("shutdown", 2)
    assert Reservation.objects.get().state == "settled"


def test_a_stop_with_cut_ends_what_runs(world: World, serve: Serve) -> None:
    gate = Gate()
    world.upstream.behave(gate_after=(2, gate), words=("one", " two", " three"))
    gateway = serve()
    with gateway.asking(world.key, stream=True) as connection:
        response = connection.getresponse()
        response.readline()
        Stop.objects.create(
            organization=world.organization, scope="team", target=world.team.public_id,
            created_by="test", cut=True,
        )  # fmt: skip
        revisions.bump()
        rest = response.read()
    gate.open()

    assert b'"code":"stopped"' in rest
    assert world.event().reason_code == "stopped"


def test_a_target_may_stop_with_its_client(world: World, serve: Serve) -> None:
    gate = Gate()
    world.upstream.behave(gate_after=(2, gate), words=("one", " two", " three"))
    gateway = serve(target={"on_disconnect": "stop"})

    _leave(gateway, world.key, when_seen=b"two", stream=True)

    event = world.event()
    gate.open()
    assert (event.completion_tokens, event.reason_code) == (2, "client_disconnected")


REASONED = {
    "prompt_tokens": 14, "completion_tokens": 3000,
    "completion_tokens_details": {"reasoning_tokens": 2996},
}  # fmt: skip


def test_hidden_reasoning_is_paid_though_the_target_stops_with_its_client(
    world: World, serve: Serve
) -> None:
    gate = Gate()
    world.upstream.behave(gate_after=(2, gate), words=("one", " two"), usage=REASONED)
    gateway = serve(target={"on_disconnect": "stop"})

    _leave(gateway, world.key, when_seen=b"two", stream=True, model="o3-mini")
    eventually(lambda: _has_left(gateway))
    gate.open()

    event = world.event()
    assert (event.verdict, event.flags) == ("allow", ["client_disconnected"])
    assert event.details["on_disconnect"] == "drain"
    assert event.usage["reasoning_tokens"] == 2996
    assert world.wallet.total_spent == event.cost == 14 * 1_100 + 3000 * 4_400


@pytest.mark.parametrize(
    ("setting", "value"), [("MAX_DRAINS", 0), ("HIDDEN_DRAIN_SECONDS", 0.2)], ids=["room", "time"]
)
def test_reasoning_that_cannot_be_read_to_its_end_costs_all_it_could_have_had(
    world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch, setting: str, value: float
) -> None:
    monkeypatch.setattr(f"gateway.proxy.running.{setting}", value)
    gate = Gate()
    world.upstream.behave(gate_after=(2, gate), words=("one", " two"), usage=REASONED)
    gateway = serve(target={"on_disconnect": "stop"})

    _leave(
        gateway, world.key, when_seen=b"two", stream=True, model="o3-mini",
        max_completion_tokens=5000,
    )  # fmt: skip

    event = world.event()
    gate.open()
    assert event.reason_code == "client_disconnected"
    assert event.flags == ["client_disconnected", "usage_estimated"]
    assert (event.prompt_tokens, event.completion_tokens) == (13, 5000)
    assert world.wallet.total_spent == event.cost == 13 * 1_100 + 5000 * 4_400
    assert event.cost <= event.hold


def test_who_leaves_a_stopping_target_before_the_first_byte_pays_the_prompt(
    world: World, serve: Serve
) -> None:
    gate = Gate()
    world.upstream.behave(gate=gate)
    gateway = serve(target={"on_disconnect": "stop"})

    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as connection:
        connection.sendall(_request(world.key, stream=True))
        eventually(gate.reached.is_set)

    event = world.event()
    gate.open()
    assert (event.verdict, event.reason_code) == ("error", "client_disconnected")
    assert event.flags == ["client_disconnected", "usage_estimated"]
    assert (event.prompt_tokens > 0, event.completion_tokens) == (True, 0)
    assert world.wallet.total_spent == event.cost > 0


def test_who_leaves_before_the_provider_is_reached_pays_nothing(world: World, serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as waiting:
        # Nobody accepts here: once the queue is full, connecting takes for ever.
        for _ in range(3):
            other = waiting.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}/v1"
        gateway = serve(target={"on_disconnect": "stop", "base_url": url})

        _leave(gateway, world.key, stream=True)

        event = world.event()
    assert (event.reason_code, event.cost) == ("client_disconnected", 0)
    world.closed()
    assert Reservation.objects.get().state == "refunded"


def test_who_leaves_while_the_hold_is_taken_is_not_served(world: World, serve: Serve) -> None:
    gateway = serve()

    with transaction.atomic():
        # The ledger waits for this wallet; nothing can be held until the block ends.
        Wallet.objects.select_for_update().get(pk=world.wallet.pk)
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as connection:
            connection.sendall(_request(world.key))
            eventually(lambda: len(gateway.application.running) == 1)
        eventually(lambda: _has_left(gateway))

    assert world.event().reason_code == "client_disconnected"
    assert world.upstream.requests == []
    assert world.wallet.reserved == 0
    assert world.wallet.total_spent == 0
