"""Running requests that a switch or a shutdown ends: told in the words of their API."""

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from gateway.proxy import running
from tests.fakes.upstream import Gate
from tests.gateway.conftest import Serve, World
from tests.gateway.serving import Answer, RunningGateway, eventually
from wallets import revisions
from wallets.models import Reservation, Stop

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]

MESSAGE = {
    "model": "gpt-4o-mini",
    "max_tokens": 25,
    "messages": [{"role": "user", "content": "hi"}],
}


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as found:
        yield found


@pytest.fixture
def gate(world: World) -> Iterator[Gate]:
    """Holds every answer of the provider back."""
    found = Gate()
    world.upstream.behave(gate=found)
    yield found
    found.open()


def _stop(world: World, scope: str, target: str, *, cut: bool = True) -> None:
    Stop.objects.create(
        organization=world.organization, scope=scope, target=target, created_by="test",
        cut=cut, reason="too dear",
    )  # fmt: skip
    revisions.bump()


def _stops_known(gateway: RunningGateway, count: int) -> bool:
    snapshot = gateway.application.watcher.current
    assert snapshot is not None
    return len(snapshot.stopped_models) + len(snapshot.stopped_providers) == count


def _asked(
    threads: ThreadPoolExecutor, gateway: RunningGateway, gate: Gate, key: str, **fields: Any
) -> "Future[Answer]":
    """A plain request that has reached the provider."""
    found = threads.submit(gateway.chat, key, **fields)
    assert gate.reached.wait(20)
    return found


@pytest.mark.parametrize(
    ("scope", "target", "asked"),
    [
        ("model", "gpt-4o-mini", "gpt-4o-mini"),
        ("model", "gpt-4o-mini", "GPT-4o-mini"),
        ("model", "GPT-4O", "gpt-4o-2024-05-13"),
        ("provider", "OpenAI", "gpt-4o-mini"),
    ],
)
def test_a_plain_call_is_cut_and_told_like_one_that_is_refused(
    world: World, serve: Serve, threads: ThreadPoolExecutor, gate: Gate,
    scope: str, target: str, asked: str,
) -> None:  # fmt: skip
    gateway = serve()
    running = _asked(threads, gateway, gate, world.key, model=asked)

    _stop(world, scope, target)
    answer = running.result(20)

    assert (answer.status, answer.error["code"]) == (402, "stopped")
    assert answer.error["details"] == {"scope": scope, "reason": "too dear"}
    assert answer.headers["x-keeptrusts-request-id"] == world.event().id
    refused = gateway.chat(world.key, model=asked)
    assert (refused.status, refused.json) == (answer.status, answer.json)
    event = world.event(verdict="error")
    assert (event.status, event.reason_code, event.cost) == (402, "stopped", 0)
    assert Reservation.objects.get().state == "refunded"
    assert (world.wallet.posted, world.wallet.reserved) == (10_000_000_000, 0)


def test_a_stop_without_cut_lets_running_calls_end(
    world: World, serve: Serve, threads: ThreadPoolExecutor, gate: Gate
) -> None:
    gateway = serve()
    running = _asked(threads, gateway, gate, world.key)

    _stop(world, "model", "gpt-4o-mini", cut=False)
    eventually(lambda: _stops_known(gateway, 1))
    gate.open()

    assert running.result(20).status == 200


def test_another_models_calls_are_not_cut(
    world: World, serve: Serve, threads: ThreadPoolExecutor, gate: Gate
) -> None:
    gateway = serve()
    running = _asked(threads, gateway, gate, world.key)

    _stop(world, "model", "gpt-4o")
    _stop(world, "provider", "mistral")
    eventually(lambda: _stops_known(gateway, 2))
    gate.open()

    assert running.result(20).status == 200


def test_a_cut_group_of_the_file_leaves_the_other_groups_of_its_team_alone(
    world: World, serve: Serve, threads: ThreadPoolExecutor, gate: Gate
) -> None:
    """Two groups that stand in the file alone have the same team and no row of their own."""
    team = f"team_{world.team.slug}"
    other = {"name": "batch", "api_key": "kt_cg_batch_xyz789", "wallet_team_id": team}
    own = {"name": "engineering", "api_key": world.key, "wallet_team_id": team}
    gateway = serve(consumer_groups=[own, other])
    first = _asked(threads, gateway, gate, world.key)
    gate.reached.clear()
    second = _asked(threads, gateway, gate, "kt_cg_batch_xyz789")

    _stop(world, "consumer_group", "batch")

    assert second.result(20).error["details"] == {"scope": "consumer_group", "reason": "too dear"}
    gate.open()
    assert first.result(20).status == 200


def test_a_cut_call_of_anthropics_api_is_told_in_its_shape(
    world: World, serve: Serve, threads: ThreadPoolExecutor, gate: Gate
) -> None:
    gateway = serve()
    running = threads.submit(gateway.request, "POST", "/v1/messages", body=MESSAGE, key=world.key)
    assert gate.reached.wait(20)

    _stop(world, "provider", "openai")
    answer = running.result(20)

    assert (answer.status, answer.json["type"]) == (402, "error")
    assert (answer.error["type"], answer.error["code"]) == ("billing_error", "stopped")


def test_a_cut_stream_says_why_and_what_it_has_cost(world: World, serve: Serve) -> None:
    gate = Gate()
    world.upstream.behave(gate_after=(2, gate), words=("one", " two", " three"))
    gateway = serve()
    with gateway.asking(world.key, stream=True) as connection:
        response = connection.getresponse()
        response.readline()
        eventually(gate.reached.is_set)
        _stop(world, "model", "gpt-4o-mini")
        rest = response.read()
    gate.open()

    events = [line for line in rest.split(b"\n") if line.startswith(b"data: ")]
    error = json.loads(events[-1][6:])["error"]
    event = world.event()
    # 13 tokens of the prompt and 2 of the answer.
    assert event.cost == event.prompt_tokens * 150 + 2 * 600
    assert error["code"] == event.reason_code == "stopped"
    assert error["details"]["scope"] == "model"
    assert error["details"]["reason"] == "too dear"
    assert round(error["details"]["charged"] * 10**9) == event.cost == world.wallet.total_spent


def test_a_plain_call_is_told_of_the_shutdown(
    world: World, serve: Serve, threads: ThreadPoolExecutor, gate: Gate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(running, "LAST_SECONDS", 0.2)
    gateway = serve()
    asked = _asked(threads, gateway, gate, world.key)

    gateway.stop()
    answer = asked.result(20)

    assert (answer.status, answer.error["code"]) == (503, "shutdown")
    assert answer.headers["retry-after"] == "2"
    event = world.event()
    assert (event.status, event.reason_code, event.cost) == (503, "shutdown", 0)
    assert Reservation.objects.get().state == "refunded"
