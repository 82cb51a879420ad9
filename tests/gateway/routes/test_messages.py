"""Messages of Anthropic's API: what they cost, plain and streamed, by the `anthropic` client."""

import asyncio
import json
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic, AsyncAnthropic

from tests.fakes.dialects import named
from tests.fakes.upstream import Gate
from tests.gateway.conftest import Serve, World
from tests.gateway.serving import Answer, RunningGateway
from wallets.models import Reservation

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]

MODEL = "claude-sonnet-5"
VERSION = "2023-06-01"
COST = 14 * 2_000 + 25 * 10_000
TARGET = {"id": "anthropic", "provider": "anthropic"}
HELLO = [{"role": "user", "content": "Hello"}]
TOOL = {
    "name": "weather",
    "description": "The weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}


@pytest.fixture
def gateway(serve: Serve) -> RunningGateway:
    return serve(target=TARGET)


def ask(gateway: RunningGateway, world: World, **fields: Any) -> Answer:
    body = {"model": MODEL, "max_tokens": 100, "messages": HELLO, **fields}
    return gateway.request("POST", "/v1/messages", body=body, headers={"x-api-key": world.key})


def client_of(gateway: RunningGateway, world: World) -> Anthropic:
    return Anthropic(api_key=world.key, base_url=gateway.url, max_retries=0)


def kinds(answer: Answer) -> list[str]:
    lines = answer.raw.decode().split("\n")
    return [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]


def test_a_plain_message_costs_its_tokens_to_the_nano_dollar(
    world: World, gateway: RunningGateway
) -> None:
    answer = ask(gateway, world)

    assert (answer.status, answer.headers["x-keeptrusts-cost"]) == (200, "0.000278")
    assert world.wallet.total_spent == COST == 278_000
    assert world.upstream.requests[0].path == "/v1/messages"


def test_reads_and_writes_of_the_cache_have_their_own_prices(
    world: World, gateway: RunningGateway
) -> None:
    usage = {
        "input_tokens": 10, "cache_read_input_tokens": 1000, "cache_creation_input_tokens": 500,
        "cache_creation": {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 200},
        "output_tokens": 5,
    }  # fmt: skip
    world.upstream.behave(usage=usage)

    ask(gateway, world, system="x" * 2000)

    event = world.event()
    assert event.cost == 10 * 2_000 + 1000 * 200 + 300 * 2_500 + 200 * 4_000 + 5 * 10_000
    assert (event.prompt_tokens, event.completion_tokens) == (1510, 5)
    assert event.usage["cached_tokens"] == 1000
    assert event.usage["cache_write_tokens"] == 300
    assert event.usage["cache_write_1h_tokens"] == 200
    assert event.flags == []


def test_a_streamed_message_costs_the_same(world: World, gateway: RunningGateway) -> None:
    answer = ask(gateway, world, stream=True)

    assert world.wallet.total_spent == COST
    assert world.event().flags == []
    assert kinds(answer)[0] == "message_start"
    assert "ping" in kinds(answer)
    tail = answer.raw.split(b": keeptrusts ")[1]
    assert tail.startswith(b"cost=0.000278 balance=9.999722\n\nevent: message_stop\n")


def test_the_last_event_is_held_back_until_the_settle(
    world: World, gateway: RunningGateway
) -> None:
    gate = Gate()
    world.upstream.behave(gate_after=(8, gate))

    with gateway.connection() as connection:
        body = {"model": MODEL, "max_tokens": 9, "messages": HELLO, "stream": True}
        connection.request("POST", "/v1/messages", json.dumps(body), {"x-api-key": world.key})
        response = connection.getresponse()
        assert gate.reached.wait(20)
        assert Reservation.objects.get().state == "held"
        gate.open()
        rest = response.read()

    assert b"event: message_stop" in rest
    assert Reservation.objects.get().state == "settled"


def test_a_stream_that_is_cut_pays_for_its_prompt_and_what_was_delivered(
    world: World, gateway: RunningGateway
) -> None:
    world.upstream.behave(cut_after=5, words=("one", " two", " three"))

    answer = ask(gateway, world, stream=True)

    assert kinds(answer)[-1] == "error"
    event = world.event()
    assert (event.prompt_tokens, event.completion_tokens) == (14, 2)
    assert (event.verdict, event.flags) == ("error", ["usage_estimated"])
    assert event.cost == 14 * 2_000 + 2 * 10_000


def test_a_missing_usage_is_counted_and_flagged(world: World, gateway: RunningGateway) -> None:
    world.upstream.behave(usage=None, words=("one two three",))

    ask(gateway, world)

    event = world.event()
    assert (event.completion_tokens, event.flags) == (3, ["usage_estimated"])
    assert event.prompt_tokens > 0


def test_an_error_event_of_the_provider_is_an_error(world: World, gateway: RunningGateway) -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    world.upstream.behave(events=(named(error),))

    answer = ask(gateway, world, stream=True)

    assert (answer.status, answer.error["message"]) == (502, "Overloaded")
    event = world.event()
    assert (event.verdict, event.cost) == ("error", 0)


def test_an_error_event_after_text_passes_and_the_text_is_paid_for(
    world: World, gateway: RunningGateway
) -> None:
    start = {"id": "msg_1", "role": "assistant", "usage": {"input_tokens": 14, "output_tokens": 1}}
    said: list[dict[str, Any]] = [
        {"type": "message_start", "message": start},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "one two"},
        },
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
    ]
    world.upstream.behave(events=tuple(named(value) for value in said))

    answer = ask(gateway, world, stream=True)

    assert b"overloaded_error" in answer.raw
    event = world.event()
    assert (event.verdict, event.cost) == ("error", 14 * 2_000 + 2 * 10_000)


def test_the_anthropic_client_gets_its_message(world: World, gateway: RunningGateway) -> None:
    with client_of(gateway, world) as client:
        message = client.messages.create(model=MODEL, max_tokens=100, messages=HELLO)  # type: ignore[arg-type]

    assert message.content[0].type == "text"
    assert message.content[0].text == "Clouds drift by"
    assert message.usage.output_tokens == 25


def test_the_anthropic_client_streams(world: World, gateway: RunningGateway) -> None:
    with (
        client_of(gateway, world) as client,
        client.messages.stream(model=MODEL, max_tokens=100, messages=HELLO) as stream,  # type: ignore[arg-type]
    ):
        text = "".join(stream.text_stream)
        final = stream.get_final_message()

    assert text == "Clouds drift by"
    assert (final.stop_reason, final.usage.input_tokens) == ("end_turn", 14)


def test_the_asynchronous_anthropic_client_streams(world: World, gateway: RunningGateway) -> None:
    async def read() -> str:
        client = AsyncAnthropic(api_key=world.key, base_url=gateway.url, max_retries=0)
        async with (
            client,
            client.messages.stream(model=MODEL, max_tokens=9, messages=HELLO) as stream,  # type: ignore[arg-type]
        ):
            return "".join([text async for text in stream.text_stream])

    assert asyncio.run(read()) == "Clouds drift by"


def test_tools_and_their_calls_pass_in_a_stream(world: World, gateway: RunningGateway) -> None:
    call = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}
    usage = {"input_tokens": 14, "output_tokens": 25}
    start: dict[str, Any] = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": usage,
    }  # fmt: skip
    said: list[dict[str, Any]] = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": call},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "input_json_delta", "partial_json": '{"city":"Oslo"}'},
        },
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use", "stop_sequence": None},
            "usage": {"output_tokens": 25},
        },
        {"type": "message_stop"},
    ]
    world.upstream.behave(events=tuple(named(value) for value in said))

    with (
        client_of(gateway, world) as client,
        client.messages.stream(
            model=MODEL,
            max_tokens=100,
            messages=HELLO,  # type: ignore[arg-type]
            tools=[TOOL],  # type: ignore[list-item]
        ) as stream,
    ):
        block = stream.get_final_message().content[0]

    assert block.type == "tool_use"
    assert (block.name, block.input) == ("weather", {"city": "Oslo"})
    assert world.upstream.requests[0].body["tools"] == [TOOL]
    assert world.wallet.total_spent == COST


def test_a_call_that_comes_whole_at_its_start_is_delivered_and_counted(
    world: World, gateway: RunningGateway
) -> None:
    block = {"type": "tool_use", "id": "t", "name": "weather", "input": {"city": "Paris " * 20}}
    said = (
        {"type": "message_start", "message": {"id": "m", "role": "assistant", "content": []}},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
        {"type": "message_stop"},
    )
    world.upstream.behave(events=tuple(named(event) for event in said))

    answer = ask(gateway, world, stream=True)

    assert kinds(answer) == [event["type"] for event in said]
    event = world.event()
    assert (event.verdict, event.flags) == ("allow", ["usage_estimated"])
    assert (event.completion_tokens, event.cost) == (22, 236_000)


def test_headers_of_anthropic_pass_unchanged(world: World, gateway: RunningGateway) -> None:
    with client_of(gateway, world) as client:
        client.messages.create(
            model=MODEL,
            max_tokens=100,
            messages=HELLO,  # type: ignore[arg-type]
            extra_headers={
                "anthropic-beta": "extended-cache-ttl-2025-04-11",
                "anthropic-version": VERSION,
            },
        )

    seen = {name.lower(): value for name, value in world.upstream.requests[0].headers.items()}
    assert seen["anthropic-version"] == VERSION
    assert seen["anthropic-beta"] == "extended-cache-ttl-2025-04-11"
    assert world.key not in str(seen)


def test_the_callers_own_user_is_kept_as_a_digest_only(
    world: World, gateway: RunningGateway
) -> None:
    ask(gateway, world, metadata={"user_id": "somebody@example.org"})

    event = world.event()
    assert len(event.end_user) == 64
    assert event.tags == {}


def test_a_refusal_raises_in_the_anthropic_client(world: World, gateway: RunningGateway) -> None:
    with (
        client_of(gateway, world) as client,
        pytest.raises(anthropic.APIStatusError) as caught,
    ):
        client.messages.create(model="claude-unknown", max_tokens=9, messages=HELLO)  # type: ignore[arg-type]

    body: Any = caught.value.body
    assert (caught.value.status_code, body["type"]) == (402, "error")
    assert body["error"]["type"] == "billing_error"
    assert body["error"]["code"] == "model_not_priced"
    assert body["error"]["details"] == {"provider": "anthropic", "model": "claude-unknown"}
