"""Much traffic at once: what clients were told, what providers reported and the books agree.

`make soak` does the same with many more requests, several processes and PostgreSQL.
"""

import asyncio
from collections.abc import Iterator

import pytest

from gateway.models import DecisionEvent
from tests.fakes import metered
from tests.fakes.hostile import Hostile
from tests.fakes.metered import Meter
from tests.gateway import fuzzing
from tests.gateway.conftest import Serve, World
from tests.gateway.serving import eventually
from tests.gateway.traffic import Faults, Traffic, paced, targets
from wallets import verification
from wallets.models import Entry, Reservation

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]

SEED = 20_260_101
STREAMS, MIXED = 60, 300


@pytest.fixture
def meter() -> Meter:
    return Meter()


@pytest.fixture
def provider(meter: Meter) -> Iterator[Hostile]:
    with Hostile(meter.plan) as server:
        yield server


def _in_order(world: World, requests: int) -> None:
    """Every request has ended, once, and the books are proved."""
    eventually(lambda: DecisionEvent.objects.count() == requests, what="an event each")
    world.closed()
    assert world.wallet.total_spent == fuzzing.charged()
    assert verification.verify().problems == []


def test_streams_whose_clients_leave_cost_what_the_provider_reported(
    world: World, serve: Serve, provider: Hostile, meter: Meter
) -> None:
    provider.plan = lambda asked: paced(meter.plan(asked))
    gateway = serve(providers={"targets": targets(provider.url)})
    traffic = Traffic([gateway.url], world.key, seed=SEED, at_once=20)

    tally = asyncio.run(traffic.streams(STREAMS))

    _in_order(world, STREAMS)
    assert (tally.requests, tally.lost) == (STREAMS, 0)
    assert tally.left > STREAMS // 4
    assert meter.total == fuzzing.charged() > 0
    settled = Reservation.objects.filter(state="settled").count()
    assert settled == meter.answers == Entry.objects.filter(type="settle").count()


def test_clients_of_all_kinds_are_told_what_the_ledger_says(
    world: World, serve: Serve, provider: Hostile, meter: Meter
) -> None:
    meter.fault = Faults(SEED)
    gateway = serve(providers={"targets": targets(provider.url)}, cache={"enabled": True})
    traffic = Traffic([gateway.url], world.key, seed=SEED, at_once=20)

    tally = asyncio.run(traffic.mixed(MIXED))

    _in_order(world, MIXED)
    assert (tally.requests, tally.lost, tally.left) == (MIXED, 0, 0)
    assert set(tally.statuses) <= {200, 400, 429, 502, 503}
    assert tally.cost == fuzzing.charged() == sum(tally.paid.values()) > 0
    assert DecisionEvent.objects.filter(verdict="cached").count() > 10
    assert meter.faults > 0


def test_the_same_text_costs_the_same_everywhere() -> None:
    usages = {str(metered.usage_of(text.encode())) for text in ("a", "a", "b")}

    assert len(usages) == 2
