"""A request whose like was answered before: no provider, no wallet, the same answer."""

import json
from typing import Any

import pytest

from gateway.models import DecisionEvent
from tests.gateway.cache.conftest import Serve
from tests.gateway.conftest import World
from tests.gateway.serving import Answer, RunningGateway, eventually

pytestmark = pytest.mark.django_db(transaction=True)

COST = 17_100
"""Nano-dollars: 14 prompt and 25 completion tokens of gpt-4o-mini."""


def stored(gateway: RunningGateway, world: World, **fields: Any) -> Answer:
    """Ask, and wait until the answer is kept: the next one is a hit."""
    first = gateway.chat(world.key, **fields)
    assert (first.status, first.headers["x-keeptrusts-cache"]) == (200, "miss")
    eventually(lambda: not gateway.application.running, what="the request ended")
    cache = gateway.application.stages[-1]
    eventually(lambda: not len(cache._flights), what="the answer is kept")  # type: ignore[attr-defined]
    return first


def words(answer: Answer) -> str:
    """The text of a streamed answer."""
    lines = [line[6:] for line in answer.raw.decode().splitlines() if line.startswith("data: {")]
    choices = [choice for line in lines for choice in json.loads(line)["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def test_an_equal_request_is_answered_without_a_provider(world: World, cached: Serve) -> None:
    gateway = cached()
    first = stored(gateway, world)

    second = gateway.chat(world.key)

    assert (second.status, second.headers["x-keeptrusts-cache"]) == (200, "hit")
    assert second.raw == first.raw
    assert second.headers["x-keeptrusts-cost"] == "0"
    assert "age" in second.headers
    assert len(world.upstream.requests) == 1


def test_a_hit_is_recorded_with_what_it_avoided_and_costs_nothing(
    world: World, cached: Serve
) -> None:
    gateway = cached()
    stored(gateway, world)
    before = world.wallet.posted

    gateway.chat(world.key)

    event = world.event(verdict="cached")
    assert (event.cost, event.hold, event.estimated_avoided_cost) == (0, 0, COST)
    assert (event.cache, event.status, event.reservation) == ("hit", 200, None)
    assert (event.prompt_tokens, event.completion_tokens) == (14, 25)
    assert world.wallet.posted == before
    paid = DecisionEvent.objects.get(verdict="allow")
    assert (paid.cost, paid.cache, paid.estimated_avoided_cost) == (COST, "miss", 0)


def test_a_stream_is_answered_from_a_plain_answer(world: World, cached: Serve) -> None:
    gateway = cached()
    stored(gateway, world)

    second = gateway.chat(world.key, stream=True)

    assert second.headers["x-keeptrusts-cache"] == "hit"
    assert second.headers["content-type"].startswith("text/event-stream")
    assert words(second) == "Clouds drift by"
    assert second.raw.endswith(b"data: [DONE]\n\n")
    assert b"total_tokens" not in second.raw
    assert len(world.upstream.requests) == 1


def test_a_plain_answer_comes_from_a_stream(world: World, cached: Serve) -> None:
    gateway = cached()
    stored(gateway, world, stream=True)

    second = gateway.chat(world.key)

    assert second.headers["x-keeptrusts-cache"] == "hit"
    assert second.json["object"] == "chat.completion"
    [choice] = second.json["choices"]
    assert choice["message"] == {"role": "assistant", "content": "Clouds drift by"}
    assert second.json["usage"]["total_tokens"] == 39


def test_a_stream_shows_the_usage_only_where_it_is_asked_for(world: World, cached: Serve) -> None:
    gateway = cached()
    stored(gateway, world, stream=True)

    without = gateway.chat(world.key, stream=True)
    with_usage = gateway.chat(world.key, stream=True, stream_options={"include_usage": True})

    assert (without.headers["x-keeptrusts-cache"], b"total_tokens" in without.raw) == ("hit", False)
    assert with_usage.headers["x-keeptrusts-cache"] == "hit"
    assert b'"total_tokens":39' in with_usage.raw.replace(b" ", b"")


def test_an_answer_is_forgotten_after_its_time(world: World, cached: Serve) -> None:
    gateway = cached(cache={"ttl_seconds": 1})
    stored(gateway, world)

    def asked_again() -> bool:
        return gateway.chat(world.key).headers["x-keeptrusts-cache"] == "miss"

    eventually(asked_again, what="the answer is too old")
    assert len(world.upstream.requests) == 2


def test_nothing_is_kept_where_the_cache_is_off(world: World, serve: Serve) -> None:
    gateway = serve()
    answers = [gateway.chat(world.key) for _ in range(2)]

    assert [answer.headers["x-keeptrusts-cache"] for answer in answers] == ["bypass", "bypass"]
    assert len(world.upstream.requests) == 2
