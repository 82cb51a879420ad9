"""A gateway with a response cache, and clients that ask it the same thing."""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from tests.gateway.conftest import World
from tests.gateway.serving import Answer, RunningGateway, chat

CACHE = {"enabled": True, "fabric_scope": "team", "ttl_seconds": 600}

Ask = Callable[..., Answer]
Serve = Callable[..., RunningGateway]


@pytest.fixture
def cached(serve: Serve) -> Serve:
    """Starts gateways with a cache; ``cached(cache={...})`` changes its section."""

    def start(cache: dict[str, Any] | None = None, **changes: Any) -> RunningGateway:
        return serve(cache=CACHE | (cache or {}), **changes)

    return start


async def ask_at_once(
    gateways: list[RunningGateway],
    world: World,
    bodies: list[dict[str, Any]],
    *,
    keys: list[str] | None = None,
    began: Callable[[], None] = lambda: None,
) -> list[Answer]:
    """All ``bodies`` at the same time, the gateways and keys in turn."""
    given = keys or [world.key]
    connector = aiohttp.TCPConnector(limit=len(bodies))
    async with aiohttp.ClientSession(connector=connector) as session:

        async def ask(number: int, body: dict[str, Any]) -> Answer:
            url = f"{gateways[number % len(gateways)].url}/v1/chat/completions"
            headers = {"x-consumer-group": given[number % len(given)]}
            async with session.post(url, json=body, headers=headers) as answer:
                raw = await answer.read()
                found = {name.lower(): value for name, value in answer.headers.items()}
                return Answer(answer.status, found, raw)

        asked = [asyncio.create_task(ask(*numbered)) for numbered in enumerate(bodies)]
        await asyncio.to_thread(began)
        return await asyncio.gather(*asked)


def same(count: int, **fields: Any) -> list[dict[str, Any]]:
    """One request, many times."""
    return [chat(**fields) for _ in range(count)]
