"""Plain completions: what they cost and what is left of it."""

import pytest
from openai import OpenAI

from tests.gateway.conftest import Serve, World
from tests.gateway.serving import chat
from wallets.models import Entry, Reservation

pytestmark = pytest.mark.engines


def test_a_completion_costs_its_tokens_to_the_nano_dollar(world: World, serve: Serve) -> None:
    gateway = serve()

    answer = gateway.chat(world.key)

    assert answer.status == 200
    assert answer.json["usage"]["total_tokens"] == 39
    wallet = world.wallet
    assert (wallet.posted, wallet.reserved) == (10_000_000_000 - 17_100, 0)
    assert wallet.total_spent == 17_100
    assert Reservation.objects.get().state == "settled"
