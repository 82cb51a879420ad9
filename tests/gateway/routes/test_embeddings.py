"""Embeddings: what they cost, for one text, for many, for tokens."""

import asyncio
from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI

from tests.gateway.conftest import Serve, World

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]

MODEL = "text-embedding-3-small"
USAGE = {"prompt_tokens": 50, "total_tokens": 50}


@pytest.fixture
def gateway(world: World, serve: Serve) -> Any:
    world.upstream.behave(usage=USAGE)
    return serve()


def test_an_embedding_costs_its_tokens_to_the_nano_dollar(world: World, gateway: Any) -> None:
    answer = gateway.request(
        "POST", "/v1/embeddings", body={"model": MODEL, "input": "Clouds"}, key=world.key
    )

    assert answer.status == 200
    assert answer.headers["x-keeptrusts-cost"] == "0.000001"
    assert world.wallet.total_spent == 50 * 20
    event = world.event()
    assert (event.prompt_tokens, event.completion_tokens, event.flags) == (50, 0, [])


@pytest.mark.parametrize(
    ("given", "vectors"),
    [("a", 1), (["a", "b"], 2), ([1, 2, 3], 1), ([[1, 2], [3]], 2)],
    ids=["text", "texts", "tokens", "lists of tokens"],
)
def test_the_openai_client_embeds_all_it_knows(
    world: World, gateway: Any, given: Any, vectors: int
) -> None:
    with OpenAI(api_key=world.key, base_url=f"{gateway.url}/v1", max_retries=0) as client:
        answer = client.embeddings.create(model=MODEL, input=given, encoding_format="float")

    assert len(answer.data) == vectors
    assert world.upstream.requests[0].body["input"] == given


def test_the_asynchronous_openai_client_embeds(world: World, gateway: Any) -> None:
    async def read() -> int:
        async with AsyncOpenAI(
            api_key=world.key, base_url=f"{gateway.url}/v1", max_retries=0
        ) as client:
            answer = await client.embeddings.create(
                model=MODEL, input=["a"], encoding_format="float"
            )
            return answer.usage.total_tokens

    assert asyncio.run(read()) == 50


def test_a_missing_usage_is_counted_and_flagged(world: World, gateway: Any) -> None:
    world.upstream.behave(usage=None)

    gateway.request(
        "POST", "/v1/embeddings", body={"model": MODEL, "input": [1, 2, 3]}, key=world.key
    )

    event = world.event()
    assert event.flags == ["usage_estimated"]
    assert event.prompt_tokens == 3 + 3 + 3
    assert event.cost == 9 * 20


def test_an_embedding_is_never_streamed(world: World, gateway: Any) -> None:
    answer = gateway.request(
        "POST",
        "/v1/embeddings",
        body={"model": MODEL, "input": "a", "stream": True},
        key=world.key,
    )

    assert (answer.status, answer.error["param"]) == (400, "stream")
    assert world.upstream.requests == []


def test_a_model_that_chats_has_no_price_for_embeddings(world: World, gateway: Any) -> None:
    answer = gateway.request(
        "POST", "/v1/embeddings", body={"model": "gpt-4o-mini", "input": "a"}, key=world.key
    )

    assert (answer.status, answer.error["code"]) == (402, "model_not_priced")


def test_a_model_of_embeddings_has_no_price_for_chats(world: World, gateway: Any) -> None:
    answer = gateway.chat(world.key, model=MODEL)

    assert (answer.status, answer.error["code"]) == (402, "model_not_priced")


@pytest.mark.parametrize("given", [None, 7, [], [[]], [None], {"a": 1}], ids=str)
def test_an_input_that_is_none_is_refused(world: World, gateway: Any, given: Any) -> None:
    answer = gateway.request(
        "POST", "/v1/embeddings", body={"model": MODEL, "input": given}, key=world.key
    )

    assert answer.status == 400
    assert answer.error["param"].startswith("input")
    assert world.upstream.requests == []
