"""Responses: what they cost, plain and streamed, and what their last event waits for."""

import asyncio
import json
from typing import Any

import pytest
from openai import APIError, AsyncOpenAI, OpenAI

from tests.fakes.dialects import named
from tests.fakes.upstream import Gate
from tests.gateway.conftest import Serve, World
from tests.gateway.serving import Answer, RunningGateway
from wallets.models import Reservation

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]

MODEL = "gpt-4o-mini"
COST = 17_100


def ask(gateway: RunningGateway, world: World, **fields: Any) -> Answer:
    body = {"model": MODEL, "input": "Write a haiku.", **fields}
    return gateway.request("POST", "/v1/responses", body=body, key=world.key)


def kinds(answer: Answer) -> list[str]:
    """The names of the events of a stream, in order."""
    lines = answer.raw.decode().split("\n")
    return [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]


def test_a_plain_response_costs_its_tokens_to_the_nano_dollar(world: World, serve: Serve) -> None:
    gateway = serve()

    answer = ask(gateway, world)

    assert (answer.status, answer.headers["x-keeptrusts-cost"]) == (200, "0.0000171")
    assert world.wallet.total_spent == COST
    assert world.upstream.requests[0].path == "/v1/responses"
    assert world.upstream.requests[0].body["max_output_tokens"] == 4096


def test_usage_in_the_words_of_responses_is_priced_by_class(world: World, serve: Serve) -> None:
    usage = {
        "input_tokens": 1000, "input_tokens_details": {"cached_tokens": 600},
        "output_tokens": 100, "output_tokens_details": {"reasoning_tokens": 40},
        "total_tokens": 1100,
    }  # fmt: skip
    world.upstream.behave(usage=usage)
    gateway = serve()

    ask(gateway, world, instructions="x" * 4000)

    event = world.event()
    assert event.usage["cached_tokens"] == 600
    assert event.usage["reasoning_tokens"] == 40
    assert event.cost == 400 * 150 + 600 * 75 + 100 * 600


def test_a_streamed_response_costs_the_same(world: World, serve: Serve) -> None:
    gateway = serve()

    answer = ask(gateway, world, stream=True)

    assert world.wallet.total_spent == COST
    assert kinds(answer)[-1] == "response.completed"
    assert kinds(answer).count("response.output_text.delta") == 3
    tail = answer.raw.split(b": keeptrusts ")[1]
    assert tail.startswith(b"cost=0.0000171 balance=9.9999829\n\nevent: response.completed\n")


def test_the_last_event_is_held_back_until_the_settle(world: World, serve: Serve) -> None:
    gate = Gate()
    world.upstream.behave(gate_after=(9, gate))
    gateway = serve()

    with gateway.connection() as connection:
        body = json.dumps({"model": MODEL, "input": "Hi", "stream": True})
        connection.request("POST", "/v1/responses", body, {"x-consumer-group": world.key})
        response = connection.getresponse()
        assert gate.reached.wait(20)
        assert Reservation.objects.get().state == "held"
        gate.open()
        rest = response.read()

    assert b"event: response.completed" in rest
    assert Reservation.objects.get().state == "settled"


def test_a_response_that_failed_is_charged_what_it_reports(world: World, serve: Serve) -> None:
    failed = {
        "id": "resp_1", "status": "failed", "output": [],
        "error": {"code": "server_error", "message": "no"},
        "usage": {"input_tokens": 14, "output_tokens": 25, "total_tokens": 39},
    }  # fmt: skip
    delta = {"type": "response.output_text.delta", "delta": "Clouds"}
    world.upstream.behave(
        events=(named(delta), named({"type": "response.failed", "response": failed}))
    )
    gateway = serve()

    answer = ask(gateway, world, stream=True)

    assert kinds(answer) == ["response.output_text.delta", "response.failed"]
    event = world.event()
    assert (event.verdict, event.cost) == ("error", COST)


def test_an_incomplete_response_ends_like_a_complete_one(world: World, serve: Serve) -> None:
    cut = {
        "id": "resp_1", "status": "incomplete", "output": [],
        "usage": {"input_tokens": 14, "output_tokens": 25, "total_tokens": 39},
    }  # fmt: skip
    delta = {"type": "response.output_text.delta", "delta": "Clouds"}
    world.upstream.behave(
        events=(named(delta), named({"type": "response.incomplete", "response": cut}))
    )
    gateway = serve()

    answer = ask(gateway, world, stream=True)

    assert kinds(answer)[-1] == "response.incomplete"
    event = world.event()
    assert (event.verdict, event.cost) == ("allow", COST)


def test_a_stream_that_is_cut_pays_for_what_was_delivered(world: World, serve: Serve) -> None:
    world.upstream.behave(cut_after=5, words=("one", " two", " three"))
    gateway = serve()

    answer = ask(gateway, world, stream=True)

    assert kinds(answer)[-1] == "error"
    event = world.event()
    assert (event.verdict, event.completion_tokens) == ("error", 2)
    assert event.flags == ["usage_estimated"]
    assert world.wallet.total_spent == event.cost == event.prompt_tokens * 150 + 2 * 600


def test_a_stream_that_is_cut_raises_in_the_openai_client(world: World, serve: Serve) -> None:
    world.upstream.behave(cut_after=5)
    gateway = serve()

    with (
        OpenAI(api_key=world.key, base_url=f"{gateway.url}/v1", max_retries=0) as client,
        pytest.raises(APIError, match="broke off"),
    ):
        list(client.responses.create(model=MODEL, input="Hi", stream=True))


def test_a_missing_usage_is_counted_and_flagged(world: World, serve: Serve) -> None:
    world.upstream.behave(usage=None, words=("one two three",))
    gateway = serve()

    ask(gateway, world)

    event = world.event()
    assert (event.completion_tokens, event.flags) == (3, ["usage_estimated"])


def test_the_openai_client_reads_plain_and_streamed(world: World, serve: Serve) -> None:
    gateway = serve()

    with OpenAI(api_key=world.key, base_url=f"{gateway.url}/v1", max_retries=0) as client:
        plain = client.responses.create(model=MODEL, input="Hi")
        with client.responses.stream(model=MODEL, input="Hi") as stream:
            final = stream.get_final_response()

    assert plain.output_text == "Clouds drift by"
    assert final.output_text == "Clouds drift by"
    assert final.usage is not None
    assert final.usage.model_dump(exclude_none=True)["total_tokens"] == 39


def test_the_asynchronous_openai_client_reads_a_stream(world: World, serve: Serve) -> None:
    gateway = serve()

    async def read() -> str:
        async with AsyncOpenAI(
            api_key=world.key, base_url=f"{gateway.url}/v1", max_retries=0
        ) as client:
            stream = await client.responses.create(model=MODEL, input="Hi", stream=True)
            deltas = [e.delta async for e in stream if e.type == "response.output_text.delta"]
            return "".join(deltas)

    assert asyncio.run(read()) == "Clouds drift by"


@pytest.mark.parametrize(
    ("fields", "feature"),
    [
        ({"background": True}, "background"),
        ({"tools": [{"type": "web_search"}]}, "tool:web_search"),
        ({"tools": [{"type": "shell"}]}, "tool:shell"),
        ({"tools": [{"type": "mcp", "server_url": "https://x"}]}, "tool:mcp"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"service_tier": "priority"}, "service_tier"),
        ({"previous_response_id": "resp_0"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"input": [{"type": "item_reference", "id": "msg_0"}]}, "stored_items"),
        (
            {"input": [{"type": "additional_tools", "tools": [{"type": "web_search"}]}]},
            "tool:web_search",
        ),
        ({"context_management": [{"type": "compaction"}]}, "compaction"),
        ({"prompt_cache_options": {"ttl": "12h"}}, "prompt_cache_ttl"),
        ({"reasoning": {"mode": "pro"}}, "reasoning_mode"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_nobody_has_priced_is_refused(
    world: World, serve: Serve, fields: dict[str, Any], feature: str
) -> None:
    gateway = serve()

    answer = ask(gateway, world, **fields)

    assert (answer.status, answer.error["code"]) == (402, "feature_not_priced")
    assert answer.error["details"]["features"] == [feature]
    assert answer.error["message"].endswith(f"has no price for: {feature}. Ask without it.")
    assert world.upstream.requests == []
    assert world.wallet.posted == 10_000_000_000


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": ["hello"]}, "input.0"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"fallbacks": ["gpt-5"]}, "fallbacks"),
        ({"Max_Output_Tokens": 9}, "Max_Output_Tokens"),
        ({"previousResponseId": "resp_0"}, "previousResponseId"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_wrong_field_is_named(
    world: World, serve: Serve, fields: dict[str, Any], name: str
) -> None:
    gateway = serve()

    answer = ask(gateway, world, **fields)

    assert (answer.status, answer.error["param"]) == (400, name)
    assert world.upstream.requests == []


SAID = "All of this was written by the model. " * 10
"""91 tokens of o200k_base."""
ITEM = {
    "id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
    "content": [{"type": "output_text", "text": SAID, "annotations": []}],
}  # fmt: skip
ITEM_DONE = {"type": "response.output_item.done", "output_index": 0, "item": ITEM}
COMPLETED = {"type": "response.completed", "response": {"id": "resp_1", "output": [ITEM]}}
DELTA = {"type": "response.output_text.delta", "output_index": 0, "delta": SAID}


@pytest.mark.parametrize(
    "said",
    [(COMPLETED,), (ITEM_DONE, COMPLETED), (DELTA, ITEM_DONE, COMPLETED)],
    ids=["with its end", "with its item", "in deltas"],
)
def test_text_without_usage_is_counted_once_however_it_comes(
    world: World, serve: Serve, said: tuple[dict[str, Any], ...]
) -> None:
    world.upstream.behave(events=tuple(named(event) for event in said))
    gateway = serve()

    answer = ask(gateway, world, stream=True)

    assert kinds(answer) == [event["type"] for event in said]
    assert SAID.encode() in answer.raw
    event = world.event()
    assert (event.verdict, event.flags) == ("allow", ["usage_estimated"])
    assert (event.prompt_tokens, event.completion_tokens) == (12, 91)
    assert world.wallet.total_spent == event.cost == 12 * 150 + 91 * 600


@pytest.mark.parametrize(
    ("tier", "flags"), [("priority", ["service_tier:priority"]), ("default", [])]
)
def test_another_tier_than_the_priced_one_is_flagged(
    world: World, serve: Serve, tier: str, flags: list[str]
) -> None:
    usage = {"input_tokens": 14, "output_tokens": 25, "total_tokens": 39}
    response = {"id": "resp_1", "output": [ITEM], "usage": usage, "service_tier": tier}
    world.upstream.behave(events=(named({**COMPLETED, "response": response}),))
    gateway = serve()

    ask(gateway, world, stream=True)

    event = world.event()
    assert (event.flags, event.cost) == (flags, COST)


def test_a_call_that_comes_whole_is_counted_with_its_name_once(world: World, serve: Serve) -> None:
    call = {"id": "fc_1", "type": "function_call", "name": "weather", "call_id": "c", "status": "x"}
    said = (
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**call, "arguments": ""},
        },
        {**ITEM_DONE, "item": {**call, "arguments": '{"city":"Paris"}'}},
        {"type": "response.completed", "response": {"id": "resp_1", "output": []}},
    )
    world.upstream.behave(events=tuple(named(event) for event in said))
    gateway = serve()

    answer = ask(gateway, world, stream=True)

    assert kinds(answer) == [event["type"] for event in said]
    assert world.event().completion_tokens == 6


def test_text_at_the_end_only_does_not_count_against_the_target(world: World, serve: Serve) -> None:
    world.upstream.behave(events=(named(COMPLETED),))
    gateway = serve()

    for _ in range(12):
        ask(gateway, world, stream=True)

    breakers = gateway.application.forwarding.breakers
    assert [breaker.state for _, breaker in breakers] == ["closed"]
