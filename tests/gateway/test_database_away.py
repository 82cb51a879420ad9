"""The database goes away and comes back: nothing unpaid is forwarded, nothing delivered is lost."""

from collections.abc import Iterator

import pytest
from django.db import connections

from tests.fakes.forwarder import Forwarder
from tests.fakes.upstream import Gate
from tests.gateway.conftest import Serve, World
from tests.gateway.serving import RunningGateway, eventually
from wallets import verification
from wallets.models import Reservation

pytestmark = [pytest.mark.postgres_only, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def forwarder() -> Iterator[Forwarder]:
    settings = connections["default"].settings_dict
    host = settings["HOST"] or settings["OPTIONS"].get("host") or "127.0.0.1"
    port = int(settings["PORT"] or 5432)
    target = f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port)
    with Forwarder(target) as found:
        yield found


@pytest.fixture
def gateway(
    world: World, serve: Serve, forwarder: Forwarder, monkeypatch: pytest.MonkeyPatch
) -> RunningGateway:
    """A gateway whose way to the database can be cut; the test itself has its own."""
    settings = connections["default"].settings_dict
    with monkeypatch.context() as way:
        way.setitem(settings, "HOST", "127.0.0.1")
        way.setitem(settings, "PORT", forwarder.port)
        found = serve()
    assert found.chat(world.key).status == 200
    return found


def test_without_the_database_nothing_is_forwarded(
    world: World, gateway: RunningGateway, forwarder: Forwarder
) -> None:
    forwarder.cut()
    answers = [gateway.chat(world.key) for _ in range(5)]

    assert {answer.status for answer in answers} == {503}
    assert {answer.error["code"] for answer in answers} == {"ledger_unavailable"}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers)
    assert len(world.upstream.requests) == 1
    eventually(lambda: gateway.request("GET", "/readyz").status == 503)


def test_it_recovers_by_itself(world: World, gateway: RunningGateway, forwarder: Forwarder) -> None:
    forwarder.cut()
    assert gateway.chat(world.key).status == 503
    forwarder.restore()

    eventually(lambda: gateway.chat(world.key).status == 200)
    eventually(lambda: gateway.request("GET", "/readyz").status == 200)
    world.closed()
    assert verification.verify().problems == []


def test_a_stream_that_outlives_the_database_is_settled_when_it_is_back(
    world: World, gateway: RunningGateway, forwarder: Forwarder
) -> None:
    before = world.wallet.total_spent
    gate = Gate()
    world.upstream.behave(gate=gate)
    answers = _in_background(gateway, world.key)
    eventually(gate.reached.is_set)
    forwarder.cut()
    gate.open()

    answer = answers()
    assert answer.endswith(b"data: [DONE]\n\n")
    assert Reservation.objects.filter(state="held").count() == 1

    forwarder.restore()
    world.closed()
    assert world.wallet.total_spent == before + 17_100
    assert verification.verify().problems == []


def _in_background(gateway: RunningGateway, key: str):  # type: ignore[no-untyped-def]
    """Starts a stream; the function it returns waits for the end of it."""
    from concurrent.futures import ThreadPoolExecutor

    executor = ThreadPoolExecutor(1)
    future = executor.submit(gateway.chat, key, stream=True)
    executor.shutdown(wait=False)
    return lambda: future.result(30).raw
