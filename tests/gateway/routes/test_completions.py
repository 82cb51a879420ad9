"""Completions of a text: what they cost, plain and streamed."""

import asyncio

import pytest
from openai import AsyncOpenAI, OpenAI

from tests.gateway.conftest import Serve, World
from tests.gateway.serving import Answer, RunningGateway

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]

MODEL = "gpt-3.5-turbo-instruct"
COST = 14 * 1_500 + 25 * 2_000


def ask(gateway: RunningGateway, world: World, **fields: object) -> Answer:
    body = {"model": MODEL, "prompt": "Clouds", **fields}
    return gateway.request("POST", "/v1/completions", body=body, key=world.key)


def test_a_plain_completion_costs_its_tokens_to_the_nano_dollar(world: World, serve: Serve) -> None:
    gateway = serve()

    answer = ask(gateway, world)

    assert (answer.status, answer.json["choices"][0]["text"]) == (200, "Clouds drift by")
    assert answer.headers["x-keeptrusts-cost"] == "0.000071"
    assert world.wallet.total_spent == COST == 71_000
    event = world.event()
    assert (event.route, event.prompt_tokens, event.completion_tokens) == (
        "/v1/completions",
        14,
        25,
    )


def test_a_streamed_completion_costs_the_same(world: World, serve: Serve) -> None:
    gateway = serve()

    answer = ask(gateway, world, stream=True)

    assert answer.raw.endswith(b"data: [DONE]\n\n")
    assert b'"usage"' not in answer.raw
    assert world.wallet.total_spent == COST


def test_the_openai_client_reads_both_forms(world: World, serve: Serve) -> None:
    gateway = serve()

    with OpenAI(api_key=world.key, base_url=f"{gateway.url}/v1", max_retries=0) as client:
        plain = client.completions.create(model=MODEL, prompt="Clouds")
        chunks = list(
            client.completions.create(
                model=MODEL, prompt="Clouds", stream=True, stream_options={"include_usage": True}
            )
        )

    assert plain.choices[0].text == "Clouds drift by"
    assert "".join(c.choices[0].text for c in chunks if c.choices) == "Clouds drift by"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 39


def test_the_asynchronous_openai_client_reads_it(world: World, serve: Serve) -> None:
    gateway = serve()

    async def read() -> str:
        async with AsyncOpenAI(
            api_key=world.key, base_url=f"{gateway.url}/v1", max_retries=0
        ) as client:
            return (await client.completions.create(model=MODEL, prompt="Clouds")).choices[0].text

    assert asyncio.run(read()) == "Clouds drift by"


def test_the_bound_of_the_api_is_sent_where_the_client_gave_none(
    world: World, serve: Serve
) -> None:
    gateway = serve()

    ask(gateway, world)

    assert world.upstream.requests[0].body["max_tokens"] == 16


def test_a_missing_usage_is_counted_and_flagged(world: World, serve: Serve) -> None:
    world.upstream.behave(usage=None, words=("one two three",))
    gateway = serve()

    ask(gateway, world)

    event = world.event()
    assert (event.completion_tokens, event.flags) == (3, ["usage_estimated"])
    assert world.wallet.total_spent == event.cost == event.prompt_tokens * 1_500 + 3 * 2_000


def test_a_stream_that_is_cut_pays_for_what_was_delivered(world: World, serve: Serve) -> None:
    world.upstream.behave(cut_after=2, words=("one", " two", " three"))
    gateway = serve()

    answer = ask(gateway, world, stream=True)

    assert b"upstream_broke_off" in answer.raw
    assert b"[DONE]" not in answer.raw
    event = world.event()
    assert (event.verdict, event.completion_tokens) == ("error", 2)
    assert world.wallet.total_spent == event.cost == event.prompt_tokens * 1_500 + 2 * 2_000


@pytest.mark.parametrize("prompt", [7, [], [["a"]], [{}], {"a": 1}], ids=str)
def test_a_prompt_that_is_none_is_refused(world: World, serve: Serve, prompt: object) -> None:
    gateway = serve()

    answer = ask(gateway, world, prompt=prompt)

    assert answer.status == 400
    assert answer.error["param"].startswith("prompt")
    assert world.upstream.requests == []
