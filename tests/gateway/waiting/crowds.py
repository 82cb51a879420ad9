"""Crowds of clients, and wallets that pay for a known number of requests."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Any

import aiohttp
from django.utils import timezone

from gateway import tokens
from gateway.pricing import PriceBook, worst_case_nanos
from keeptrusts.lib import money
from tests import factories
from tests.gateway.conftest import World
from tests.gateway.serving import chat

MODEL = "gpt-4o"
"""2.50 USD per million prompt tokens, 10 USD per million completion tokens."""


@dataclass(frozen=True)
class Told:
    """One whole answer."""

    status: int
    body: bytes


async def ask_all(url: str, key: str, *, clients: int, at_once: int, **fields: Any) -> list[Told]:
    """``clients`` requests, ``at_once`` of them under way at any time."""
    places = asyncio.Semaphore(at_once)
    connector = aiohttp.TCPConnector(limit=at_once)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def ask() -> Told:
            body = chat(model=MODEL, **fields)
            headers = {"x-consumer-group": key}
            async with places:
                answer = await session.post(
                    f"{url}/v1/chat/completions", json=body, headers=headers
                )
                return Told(answer.status, await answer.read())

        return list(await asyncio.gather(*(ask() for _ in range(clients))))


def statuses(answers: list[Told]) -> Counter[int]:
    """How many answers had which status."""
    return Counter(answer.status for answer in answers)


def worst_case(world: World, **fields: Any) -> int:
    """Nano-dollars a plain request of the model holds."""
    estimate = tokens.estimate(chat(**fields), MODEL, default_max_output_tokens=4096)
    priced = PriceBook.load().rates(world.organization.pk, "openai", MODEL, timezone.now())
    assert priced is not None
    return worst_case_nanos(estimate.prompt_tokens, estimate.completion_tokens, priced.rates)


def usage_that_costs(prompt: int, completion: int) -> tuple[dict[str, int], int]:
    """What the provider reports, and nano-dollars of it."""
    usage = {"prompt_tokens": prompt, "completion_tokens": completion}
    return usage, prompt * 2_500 + completion * 10_000


def poor_team(world: World, amount: int) -> None:
    """From now on the key belongs to a team that has ``amount`` nano-dollars and no more."""
    world.team = factories.make_team(world.organization, draws_on_parent=False)
    if amount:
        factories.fund(world.wallet, money.dollars(amount))
