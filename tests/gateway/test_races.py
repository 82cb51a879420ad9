"""Two hundred at once on a wallet that can pay for exactly ten: exactly ten reach the provider."""

import asyncio
from collections import Counter
from typing import Any

import aiohttp
import pytest

from gateway import tokens
from gateway.models import DecisionEvent
from gateway.pricing import PriceBook, worst_case_nanos
from tests import factories
from tests.gateway.conftest import Serve, World
from tests.gateway.serving import chat, eventually
from wallets import verification

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]

CLIENTS, PAYABLE, MAX_TOKENS = 200, 10, 50


def _hold(world: World) -> tuple[int, dict[str, int]]:
    """What one request holds, and the usage that costs exactly that."""
    from django.utils import timezone

    estimate = tokens.estimate(
        chat(max_tokens=MAX_TOKENS), "gpt-4o-mini", default_max_output_tokens=4096
    )
    priced = PriceBook.load().rates(world.organization.pk, "openai", "gpt-4o-mini", timezone.now())
    assert priced is not None
    usage = {"prompt_tokens": estimate.prompt_tokens, "completion_tokens": MAX_TOKENS}
    return worst_case_nanos(estimate.prompt_tokens, MAX_TOKENS, priced.rates), usage


async def _ask_all(url: str, key: str, *, stream: bool) -> Counter[int]:
    connector = aiohttp.TCPConnector(limit=CLIENTS)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def ask() -> int:
            body = chat(max_tokens=MAX_TOKENS, stream=stream)
            headers = {"x-consumer-group": key}
            async with session.post(
                f"{url}/v1/chat/completions", json=body, headers=headers
            ) as answer:
                await answer.read()
                return answer.status

        return Counter(await asyncio.gather(*(ask() for _ in range(CLIENTS))))


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_exactly_as_many_pass_as_the_wallet_can_pay(
    world: World, serve: Serve, stream: bool
) -> None:
    hold, usage = _hold(world)
    world.team = factories.make_team(world.organization, "ten", draws_on_parent=False)
    _fund_exactly(world, hold * PAYABLE)
    world.upstream.behave(usage=usage)
    gateway = serve()

    answers = asyncio.run(_ask_all(gateway.url, world.key, stream=stream))

    assert answers == {200: PAYABLE, 402: CLIENTS - PAYABLE}
    assert len(world.upstream.requests) == PAYABLE
    wallet = world.wallet
    assert (wallet.posted, wallet.reserved, wallet.total_spent) == (0, 0, hold * PAYABLE)
    eventually(lambda: DecisionEvent.objects.count() == CLIENTS)
    assert verification.verify().problems == []


@pytest.mark.postgres_only
def test_two_gateways_share_one_wallet(world: World, serve: Serve) -> None:
    hold, usage = _hold(world)
    world.team = factories.make_team(world.organization, "ten", draws_on_parent=False)
    _fund_exactly(world, hold * PAYABLE)
    world.upstream.behave(usage=usage)
    first, second = serve(), serve()

    async def both() -> list[Counter[int]]:
        return await asyncio.gather(
            *(_ask_all(gateway.url, world.key, stream=False) for gateway in (first, second))
        )

    answers = asyncio.run(both())

    assert sum(answers, Counter()) == {200: PAYABLE, 402: 2 * CLIENTS - PAYABLE}
    assert len(world.upstream.requests) == PAYABLE
    assert world.wallet.posted == 0
    assert verification.verify().problems == []


def _fund_exactly(world: World, amount: int) -> Any:
    from keeptrusts.lib import money

    return factories.fund(world.wallet, money.dollars(amount))
