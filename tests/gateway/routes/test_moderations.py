"""Moderations: free where nobody has set a price."""

from typing import Any

import pytest
from openai import OpenAI

from gateway.pricing import set_price
from tests.gateway.conftest import Serve, World
from tests.gateway.serving import Answer, RunningGateway
from wallets.models import Reservation

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]


def ask(gateway: RunningGateway, world: World, **fields: Any) -> Answer:
    body = {"input": "I hate mondays", **fields}
    return gateway.request("POST", "/v1/moderations", body=body, key=world.key)


@pytest.mark.parametrize("model", ["omni-moderation-latest", "text-moderation-007"])
def test_a_moderation_by_openai_costs_nothing(world: World, serve: Serve, model: str) -> None:
    gateway = serve()

    answer = ask(gateway, world, model=model)

    assert (answer.status, answer.headers["x-keeptrusts-cost"]) == (200, "0")
    event = world.event()
    assert (event.cost, event.hold, event.price_version) == (0, 0, "free")
    assert Reservation.objects.count() == 0


def test_the_model_that_was_priced_is_sent_where_none_was_named(world: World, serve: Serve) -> None:
    gateway = serve()

    ask(gateway, world)

    assert world.upstream.requests[0].body["model"] == "omni-moderation-latest"
    assert world.event().model == "omni-moderation-latest"


def test_a_price_that_somebody_has_set_counts(world: World, serve: Serve) -> None:
    set_price(
        provider="openai",
        model="omni-moderation-latest",
        input_cost_per_1k_tokens="0.001",
        output_cost_per_1k_tokens="0",
        created_by="usr_1",
    )
    gateway = serve()

    ask(gateway, world)

    event = world.event()
    assert event.flags == ["usage_estimated"]
    assert event.cost == event.prompt_tokens * 1_000 > 0
    assert world.wallet.total_spent == event.cost


@pytest.mark.parametrize("model", ["omni-moderation-latest-2", "gpt-4o-mini", "my-moderation"])
def test_any_other_model_needs_a_price(world: World, serve: Serve, model: str) -> None:
    gateway = serve()

    answer = ask(gateway, world, model=model)

    assert (answer.status, answer.error["code"]) == (402, "model_not_priced")
    assert world.upstream.requests == []


def test_the_openai_client_gets_its_verdict(world: World, serve: Serve) -> None:
    gateway = serve()

    with OpenAI(api_key=world.key, base_url=f"{gateway.url}/v1", max_retries=0) as client:
        answer = client.moderations.create(input="I hate mondays")

    assert answer.results[0].flagged
