"""The openai library talks to a provider that speaks Anthropic's protocol, and pays to the token.

Claude Sonnet 4.5 costs, a million tokens: $3 in, $15 out, $0.30 read from the cache, $3.75 written
for 5 minutes, $6 for an hour.
"""

from typing import Any

import openai
import pytest

from tests.gateway.adapters.conftest import SECRET, Ask
from tests.gateway.adapters.events import events_of
from tests.gateway.adapters.fake import FakeAnthropic, message
from tests.gateway.conftest import World

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]

COST = 14 * 3_000 + 25 * 15_000
CALL = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Bern"}}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


def test_a_plain_answer_costs_its_tokens(world: World, ask: Ask) -> None:
    answer = ask()

    assert answer.choices[0].message.content == "Clouds drift by"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == 39
    assert world.wallet.total_spent == COST
    assert world.event().cost == COST


def test_the_provider_gets_its_own_words_and_its_own_key(world: World, ask: Ask) -> None:
    ask(user="foo")

    (request,) = world.upstream.requests
    assert request.path == "/v1/messages"
    assert request.body == {
        "model": "claude-sonnet-4-5",
        "max_tokens": 100,
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Write a short haiku."}]}
        ],
        "metadata": {"user_id": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"},
    }
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert headers["x-api-key"] == SECRET
    assert headers["anthropic-version"] == "2023-06-01"
    assert "authorization" not in headers


def test_cache_reads_and_writes_cost_what_they_cost(
    world: World, upstream: FakeAnthropic, ask: Ask
) -> None:
    usage = {
        "input_tokens": 10,
        "cache_read_input_tokens": 1000,
        "cache_creation_input_tokens": 700,
        "cache_creation": {"ephemeral_5m_input_tokens": 500, "ephemeral_1h_input_tokens": 200},
        "output_tokens": 50,
    }
    upstream.plan(message=message(usage=usage))

    answer = ask(messages=[{"role": "user", "content": "x" * 2000}])

    assert answer.usage.prompt_tokens == 1710
    assert answer.usage.prompt_tokens_details.cached_tokens == 1000
    assert world.event().cost == 10 * 3_000 + 1000 * 300 + 500 * 3_750 + 200 * 6_000 + 50 * 15_000


def test_a_stream_costs_its_tokens(world: World, ask: Ask) -> None:
    chunks = list(ask(stream=True, stream_options={"include_usage": True}))

    text = "".join(one.choices[0].delta.content or "" for one in chunks if one.choices)
    assert text == "Clouds drift by"
    assert [one.usage.total_tokens for one in chunks if one.usage] == [39]
    world.closed()
    event = world.event()
    assert (event.verdict, event.streamed, event.cost) == ("allow", True, COST)
    assert event.flags == []


def test_usage_is_hidden_from_streams_that_did_not_ask(ask: Ask) -> None:
    assert all(one.choices and one.usage is None for one in ask(stream=True))


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_is_called_and_answers(
    world: World, upstream: FakeAnthropic, ask: Ask, stream: bool
) -> None:
    upstream.plan(message=message(CALL, stop_reason="tool_use"))
    asked = [{"role": "user", "content": "How is the weather?"}]

    answer = ask(messages=asked, tools=[WEATHER], stream=stream)
    call = streamed_call(answer) if stream else plain_call(answer)
    result = {"role": "tool", "tool_call_id": call["id"], "content": "sun"}
    asked += [{"role": "assistant", "tool_calls": [call]}, result]
    upstream.plan()
    ask(messages=asked, tools=[WEATHER])

    assert world.upstream.requests[1].body["messages"][1:] == [
        {"role": "assistant", "content": [CALL]},
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_1",
                    "content": [{"type": "text", "text": "sun"}],
                }
            ],
        },
    ]


def plain_call(answer: Any) -> dict[str, Any]:
    assert answer.choices[0].finish_reason == "tool_calls"
    call: dict[str, Any] = answer.choices[0].message.tool_calls[0].model_dump()
    return call


def streamed_call(chunks: Any) -> dict[str, Any]:
    choices = [one.choices[0] for one in chunks]
    assert choices[-1].finish_reason == "tool_calls"
    pieces = [call for choice in choices for call in choice.delta.tool_calls or []]
    function = {
        "name": pieces[0].function.name,
        "arguments": "".join(piece.function.arguments for piece in pieces),
    }
    return {"id": pieces[0].id, "type": "function", "function": function}


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_keeps_status_type_and_message_and_costs_nothing(
    world: World, upstream: FakeAnthropic, ask: Ask, stream: bool
) -> None:
    error = {"type": "invalid_request_error", "message": "prompt is too long: 9 > 8"}
    upstream.plan(status=400, error={"type": "error", "error": error})

    with pytest.raises(openai.BadRequestError) as refusal:
        ask(stream=stream)

    assert refusal.value.body == {**error, "param": None, "code": "context_length_exceeded"}
    world.closed()
    assert (world.event().cost, world.wallet.posted) == (0, 10_000_000_000)


def test_an_error_within_a_stream_reaches_the_client(
    world: World, upstream: FakeAnthropic, ask: Ask
) -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    upstream.plan(events=[*events_of(message())[:5], error])

    with pytest.raises(openai.APIError, match="Overloaded"):
        list(ask(stream=True))

    world.closed()
    assert world.event().verdict == "error"


def test_a_stream_that_is_cut_pays_the_reported_prompt_and_the_text_that_came(
    world: World, upstream: FakeAnthropic, ask: Ask
) -> None:
    upstream.plan(cut_after=5)

    with pytest.raises(openai.APIError):
        list(ask(stream=True))

    world.closed()
    event = world.event()
    assert (event.verdict, event.reason_code) == ("error", "upstream_broke_off")
    # message_start, ping, block start, "Clou", "ds d": the prompt as reported, the text counted
    assert event.usage["prompt_tokens"] == 14
    assert event.cost == 14 * 3_000 + event.usage["completion_tokens"] * 15_000


def test_what_cannot_be_said_is_refused_by_name_and_costs_nothing(world: World, ask: Ask) -> None:
    with pytest.raises(openai.BadRequestError) as refusal:
        ask(logit_bias={"50256": -100})

    assert (refusal.value.code, refusal.value.param) == ("unsupported_field", "logit_bias")
    assert world.upstream.requests == []
    world.closed()
    assert world.wallet.posted == 10_000_000_000


def test_a_tool_of_the_provider_is_refused_before_anything_is_sent(world: World, ask: Ask) -> None:
    with pytest.raises(openai.APIStatusError):
        ask(tools=[{"type": "web_search_20250305", "name": "web_search"}])

    assert world.upstream.requests == []
