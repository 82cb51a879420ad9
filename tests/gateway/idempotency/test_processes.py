"""One key, two processes, and ``kill -9`` of the one that runs."""

import asyncio
import json
import os
import signal
from collections import Counter
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path

import aiohttp
import pytest
from django.utils import timezone

from gateway.models import IdempotentCall
from keeptrusts.supervisor import ports
from tests.fakes.upstream import Gate
from tests.gateway.conftest import Serve, World
from tests.gateway.serving import chat, eventually
from tests.gateway.test_killed import _gateway
from wallets import sweeper, verification
from wallets.models import Reservation

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]

CLIENTS = 40


async def _all(urls: list[str], world: World) -> Counter[int]:
    async with aiohttp.ClientSession() as session:

        async def ask(url: str) -> int:
            headers = {"x-consumer-group": world.key, "idempotency-key": "the one"}
            path = f"{url}/v1/chat/completions"
            async with session.post(path, json=chat(), headers=headers) as answer:
                await answer.read()
                return answer.status

        return Counter(await asyncio.gather(*(ask(url) for url in urls * CLIENTS)))


def test_of_many_requests_at_once_exactly_one_runs(world: World, serve: Serve) -> None:
    gateways = [serve(), serve()]

    answers = asyncio.run(_all([gateway.url for gateway in gateways], world))

    assert set(answers) <= {200, 409}
    assert answers[200] >= 1
    assert len(world.upstream.requests) == 1
    assert world.wallet.total_spent == 17_100
    assert Reservation.objects.count() == 1
    assert verification.verify().problems == []


def _ask(port: int, key: str) -> tuple[int, dict[str, object]]:
    client = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        client.request(
            "POST",
            "/v1/chat/completions",
            json.dumps(chat(stream=True)),
            {"x-consumer-group": key, "idempotency-key": "k-1"},
        )
        response = client.getresponse()
        body = response.read()
        return response.status, {} if response.status == 200 else json.loads(body)["error"]
    finally:
        client.close()


@pytest.mark.slow
@pytest.mark.postgres_only
def test_a_key_whose_gateway_was_killed_is_free_once_its_hold_is_swept(
    world: World, tmp_path: Path, serve: Serve
) -> None:
    gate = Gate()
    world.upstream.behave(gate_after=(1, gate))
    port = ports.unused()
    with _gateway(world, tmp_path, port) as process:
        process.until_says("Gateway ready")
        client = HTTPConnection("127.0.0.1", port, timeout=30)
        client.request(
            "POST",
            "/v1/chat/completions",
            json.dumps(chat(stream=True)),
            {"x-consumer-group": world.key, "idempotency-key": "k-1"},
        )
        assert b"Clouds" in client.getresponse().readline()
        os.kill(process.pid, signal.SIGKILL)
        process.process.wait(30)
        client.close()
    gate.open()
    world.upstream.behave()
    other = serve()
    assert _ask(other.port, world.key)[1]["code"] == "idempotency_key_in_use"

    IdempotentCall.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert _ask(other.port, world.key)[1]["code"] == "idempotency_key_in_use"
    report = sweeper.sweep(older_than=timedelta(0))

    assert (report.closed, report.charged) == (1, 0)
    assert _ask(other.port, world.key)[0] == 200
    assert _ask(other.port, world.key)[0] == 200
    assert len(world.upstream.requests) == 2
    assert world.wallet.total_spent == 17_100


def test_the_keys_of_running_requests_are_renewed(
    world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.idempotency.registry.RENEW_SECONDS", 0.05)
    gate = Gate()
    world.upstream.behave(gate=gate)
    gateway = serve()
    with gateway.asking(world.key, headers={"idempotency-key": "k-1"}) as connection:
        eventually(gate.reached.is_set)
        first = IdempotentCall.objects.get().lease_until
        eventually(lambda: IdempotentCall.objects.get().lease_until > first)
        gate.open()
        assert connection.getresponse().status == 200
