"""The cache in Redis: several gateways share it, and one that is away disturbs nobody."""

import asyncio
from collections import Counter
from typing import Any
from uuid import uuid4

import pytest
import redis
from pytest_django.fixtures import Settings

from gateway.cache import purging
from gateway.cache.shelf import ALIAS
from gateway.models import DecisionEvent
from keeptrusts.supervisor import ports
from tests.fakes.upstream import Gate
from tests.gateway.cache.conftest import Serve, ask_at_once
from tests.gateway.cache.test_hits import stored
from tests.gateway.conftest import World
from tests.gateway.serving import chat, eventually
from wallets import tenancy, verification

pytestmark = [pytest.mark.redis, pytest.mark.django_db(transaction=True)]

COST = 17_100
CLIENTS = 100


def in_redis(settings: Settings, url: str) -> None:
    """Keep answers there, under names of this test alone."""
    responses = {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": url,
        "KEY_PREFIX": f"test-{uuid4()}",
        "OPTIONS": {
            "serializer": "keeptrusts.lib.plain_bytes.PlainBytes",
            "socket_timeout": 0.3,
            "socket_connect_timeout": 0.3,
        },
    }
    settings.CACHES = {**settings.CACHES, ALIAS: responses}


@pytest.fixture
def redis_cache(settings: Settings, redis_url: str) -> None:
    in_redis(settings, redis_url)


@pytest.mark.usefixtures("redis_cache")
@pytest.mark.parametrize("form", ["plain", "mixed"])
@pytest.mark.postgres_only
def test_equal_requests_to_two_gateways_are_one_call_and_one_charge(
    world: World, cached: Serve, form: str
) -> None:
    first, second, gate = cached(), cached(), Gate()
    world.upstream.behave(gate=gate)

    def when_all_wait() -> None:
        assert gate.reached.wait(20)
        eventually(
            lambda: len(first.application.running) + len(second.application.running) == CLIENTS
        )
        gate.open()

    bodies = [chat(stream=form == "mixed" and number % 3 == 0) for number in range(CLIENTS)]
    answers = asyncio.run(ask_at_once([first, second], world, bodies, began=when_all_wait))

    caches = Counter(answer.headers["x-keeptrusts-cache"] for answer in answers)
    assert {answer.status for answer in answers} == {200}
    assert caches == {"miss": 1, "hit": CLIENTS - 1}
    assert len(world.upstream.requests) == 1
    eventually(lambda: DecisionEvent.objects.filter(verdict="cached").count() == CLIENTS - 1)
    assert world.wallet.total_spent == COST
    assert verification.verify().problems == []


@pytest.mark.usefixtures("redis_cache")
def test_gateways_share_what_is_kept(world: World, cached: Serve) -> None:
    first = cached()
    stored(first, world)
    first.stop()

    answer = cached().chat(world.key)

    assert answer.headers["x-keeptrusts-cache"] == "hit"


@pytest.mark.usefixtures("redis_cache")
def test_a_purge_counts_at_once_and_erases(
    world: World, cached: Serve, redis_url: str, settings: Settings
) -> None:
    gateway = cached()
    stored(gateway, world)

    purging.purge(actor=tenancy.system(), organization=world.organization)

    prefix = settings.CACHES[ALIAS]["KEY_PREFIX"]
    with redis.Redis.from_url(redis_url) as client:
        names: list[Any] = list(client.scan_iter(match=f"{prefix}:1:answer:*"))
    assert [name for name in names if not name.endswith(b":flight")] == []
    assert gateway.chat(world.key).headers["x-keeptrusts-cache"] == "miss"


def test_a_redis_that_is_away_makes_every_request_a_miss(
    world: World, cached: Serve, settings: Settings
) -> None:
    in_redis(settings, f"redis://127.0.0.1:{ports.unused()}/0")
    gateway = cached()

    answers = [gateway.chat(world.key) for _ in range(3)]

    assert [answer.status for answer in answers] == [200, 200, 200]
    assert {answer.headers["x-keeptrusts-cache"] for answer in answers} == {"miss"}
    assert len(world.upstream.requests) == 3


def test_equal_requests_share_a_call_even_while_redis_is_away(
    world: World, cached: Serve, settings: Settings
) -> None:
    in_redis(settings, f"redis://127.0.0.1:{ports.unused()}/0")
    gateway, gate = cached(), Gate()
    world.upstream.behave(gate=gate)

    def when_all_wait() -> None:
        assert gate.reached.wait(20)
        eventually(lambda: len(gateway.application.running) == 10)
        gate.open()

    answers = asyncio.run(
        ask_at_once([gateway], world, [chat() for _ in range(10)], began=when_all_wait)
    )

    assert {answer.status for answer in answers} == {200}
    assert len(world.upstream.requests) == 1
