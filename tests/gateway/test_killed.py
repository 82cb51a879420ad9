"""``kill -9`` of a gateway in the middle of fifty streams: the sweep leaves the books clean."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
import yaml
from django.db import connection

from gateway.models import DecisionEvent
from keeptrusts.supervisor import ports
from tests.fakes.upstream import Gate
from tests.gateway.conftest import World
from tests.gateway.serving import chat
from tests.kt.processes import Running, environment, running
from wallets import sweeper, verification
from wallets.models import Entry, Reservation

pytestmark = [pytest.mark.engines, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

STREAMS = 50


def _database_url() -> str:
    """The database of this test, for another process."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))


def _gateway(world: World, folder: Path, port: int) -> AbstractContextManager[Running]:
    (folder / "policy-config.yaml").write_text(yaml.safe_dump(world.policy()))
    (folder / "data").mkdir(exist_ok=True)
    return running(
        *(sys.executable, "-m", "keeptrusts.kt", "gateway", "run", "--port", str(port)),
        cwd=folder,
        env=environment(DATABASE_URL=_database_url(), KEEPTRUSTS_DATA=str(folder / "data")),
    )


@contextmanager
def _stream(port: int, key: str) -> Iterator[None]:
    """A stream that has begun to arrive."""
    client = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        client.request(
            "POST",
            "/v1/chat/completions",
            json.dumps(chat(stream=True)),
            {"x-consumer-group": key},
        )
        assert b"Clouds" in client.getresponse().readline()
        yield
    finally:
        client.close()


def _ask(port: int, key: str) -> int:
    client = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        client.request(
            "POST", "/v1/chat/completions", json.dumps(chat()), {"x-consumer-group": key}
        )
        return client.getresponse().status
    finally:
        client.close()


def test_a_killed_gateway_leaves_books_that_a_sweep_puts_right(
    world: World, tmp_path: Path
) -> None:
    gate = Gate()
    world.upstream.behave(gate_after=(1, gate))
    port = ports.unused()
    with _gateway(world, tmp_path, port) as gateway, ExitStack() as streams:
        gateway.until_says("Gateway ready")
        for _ in range(STREAMS):
            streams.enter_context(_stream(port, world.key))
        os.kill(gateway.pid, signal.SIGKILL)
        gateway.process.wait(30)
    gate.open()
    assert Reservation.objects.filter(state="held").count() == STREAMS

    world.upstream.behave()
    with _gateway(world, tmp_path, port) as gateway:
        gateway.until_says("Gateway ready")
        report = sweeper.sweep(older_than=timedelta(0))
        assert _ask(port, world.key) == 200

    assert (report.closed, report.charged) == (STREAMS, 0)
    assert Reservation.objects.filter(state="held").count() == 0
    assert world.wallet.total_spent == 17_100
    assert Entry.objects.filter(type="settle").count() == 1
    assert DecisionEvent.objects.filter(reason_code="swept").count() == STREAMS
    assert verification.verify().problems == []
