"""Streamed messages become the chunks of a streamed chat completion."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.anthropic import AnthropicChat
from gateway.proxy import sse
from gateway.proxy.routes.chat import ChatStream
from tests.gateway.adapters.events import Event, encoded, events_of
from tests.gateway.adapters.test_answer import CACHED, TEXT, message

ADAPTER = AnthropicChat(clock=lambda: 1_700_000_000.9)
FRAME = {
    "id": "msg_1",
    "object": "chat.completion.chunk",
    "created": 1_700_000_000,
    "model": "claude-sonnet-4-5-20250929",
    "system_fingerprint": None,
}
START = {"type": "message_start", "message": message(stop_reason=None)}
HELLO = {
    "type": "content_block_delta",
    "index": 0,
    "delta": {"type": "text_delta", "text": "Hello"},
}
STOP = {"type": "message_stop"}


def ended(reason: str = "end_turn", **usage: int) -> Event:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}


def chunks(*events: Event) -> list[Any]:
    return read(ADAPTER.stream({"model": "claude"}).feed(encoded(events)))


def read(block: bytes) -> list[Any]:
    found = [sse.data_of(event) for event in sse.events(block)]
    return [json.loads(data) if data != b"[DONE]" else "[DONE]" for data in found]


def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {**FRAME, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


ROLE = chunk({"role": "assistant", "content": ""})


def test_a_whole_stream() -> None:
    assert chunks(START, {"type": "ping"}, HELLO, ended(output_tokens=30), STOP) == [
        ROLE,
        chunk({"content": "Hello"}),
        chunk({}, "stop"),
        {
            **FRAME,
            "choices": [],
            "usage": {
                "prompt_tokens": 14,
                "completion_tokens": 30,
                "total_tokens": 44,
                "prompt_tokens_details": {"cached_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 0},
            },
        },
        "[DONE]",
    ]


def block_start(index: int, **block: Any) -> Event:
    return {"type": "content_block_start", "index": index, "content_block": block}


def partial(index: int, piece: str) -> Event:
    delta = {"type": "input_json_delta", "partial_json": piece}
    return {"type": "content_block_delta", "index": index, "delta": delta}


def test_calls_of_tools_count_from_zero_whatever_their_block() -> None:
    found = chunks(
        START,
        block_start(1, type="tool_use", id="a", name="weather", input={}),
        partial(1, '{"city"'),
        partial(1, ':"Bern"}'),
        {"type": "content_block_stop", "index": 1},
        block_start(4, type="tool_use", id="b", name="now", input={}),
        partial(4, ""),
        {"type": "content_block_stop", "index": 4},
        ended("tool_use"),
    )
    calls = [found_chunk["choices"][0]["delta"].get("tool_calls") for found_chunk in found[1:-2]]
    head = {"index": 0, "id": "a", "type": "function"}
    assert calls == [
        [{**head, "function": {"name": "weather", "arguments": ""}}],
        [{"index": 0, "function": {"arguments": '{"city"'}}],
        [{"index": 0, "function": {"arguments": ':"Bern"}'}}],
        [{**head, "index": 1, "id": "b", "function": {"name": "now", "arguments": ""}}],
        [{"index": 1, "function": {"arguments": "{}"}}],
    ]
    assert found[-2] == chunk({}, "tool_calls")


def test_an_input_that_came_whole_is_passed_on_at_the_end_of_its_block() -> None:
    found = chunks(
        START,
        block_start(0, type="tool_use", id="a", name="f", input={"x": 1}),
        {"type": "content_block_stop", "index": 0},
    )
    assert found[-1] == chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"x":1}'}}]})


def test_nothing_is_delivered_before_the_first_content() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    assert chunks(START, {"type": "ping"}, block_start(0, type="text", text=""), error, STOP) == [
        {
            "error": {
                "message": "Overloaded",
                "type": "overloaded_error",
                "param": None,
                "code": "overloaded_error",
            }
        }
    ]


def test_after_an_error_nothing_comes() -> None:
    error = {"type": "error", "error": {"type": "api_error", "message": "Broken"}}
    found = chunks(START, HELLO, error, HELLO, ended(), STOP)
    assert found[:2] == [ROLE, chunk({"content": "Hello"})]
    assert [set(other) for other in found[2:]] == [{"error"}]


def test_a_stream_that_breaks_off_has_no_end() -> None:
    assert chunks(START, HELLO) == [ROLE, chunk({"content": "Hello"})]


def test_what_the_prompt_took_is_known_from_the_start() -> None:
    translator = ADAPTER.stream({})
    translator.feed(encoded([{"type": "message_start", "message": message(usage=CACHED)}]))
    assert translator.usage == {
        "prompt_tokens": 1710,
        "prompt_tokens_details": {
            "cached_tokens": 1000,
            "cache_write_tokens": 500,
            "cache_write_1h_tokens": 200,
        },
    }


def test_usage_that_grows_after_the_end_was_told_is_told_again() -> None:
    late = {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 40}}
    found = chunks(START, HELLO, ended(output_tokens=30), late, STOP)
    counts = [one["usage"]["completion_tokens"] for one in found[:-1] if "usage" in one]
    assert counts == [30, 40]


def test_a_refusal_says_why() -> None:
    delta = {"stop_reason": "refusal", "stop_details": {"explanation": "Not this."}}
    assert chunks(START, {"type": "message_delta", "delta": delta})[:3] == [
        ROLE,
        chunk({"refusal": "Not this."}),
        chunk({}, "content_filter"),
    ]


def test_a_stream_without_a_reason_to_stop_has_one_in_the_end() -> None:
    assert chunks(START, HELLO, STOP)[2] == chunk({}, "stop")


@pytest.mark.parametrize(
    "unknown",
    [
        {"type": "content_block_supplement", "index": 0, "delta": {"text": "x"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta"}},
        {"type": "content_block_delta", "index": 9, "delta": {"type": "input_json_delta"}},
        {"type": "content_block_delta", "index": 0, "delta": 7},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "server_tool_use"}},
        {"type": "message_delta", "delta": None, "usage": []},
        {"type": ["ping"]},
    ],
)
def test_what_is_not_known_is_left_out(unknown: Event) -> None:
    assert chunks(START, unknown, HELLO) == [ROLE, chunk({"content": "Hello"})]


@given(garbage=st.lists(st.binary(max_size=30) | st.sampled_from([START, HELLO, STOP]), max_size=8))
def test_garbage_raises_nothing(garbage: list[Any]) -> None:
    translator = ADAPTER.stream({"model": 7})
    for block in garbage:
        raw = block if isinstance(block, bytes) else encoded([block])
        read(translator.feed(b"data: " + raw + b"\n\n" if isinstance(block, bytes) else raw))


INPUTS = st.dictionaries(
    st.sampled_from(["city", "x"]), st.integers(-(2**63), 2**64 - 1) | st.text(), max_size=2
)
BLOCKS = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text}, st.text(min_size=1, max_size=20)),
    st.builds(lambda text: {"type": "thinking", "thinking": text}, st.text(max_size=20)),
    st.builds(
        lambda number, given: {
            "type": "tool_use",
            "id": f"toolu_{number}",
            "name": "weather",
            "input": given,
        },
        st.integers(0, 9),
        INPUTS,
    ),
)
REASONS = st.sampled_from(["end_turn", "max_tokens", "tool_use", "refusal", "stop_sequence"])


@given(
    content=st.lists(BLOCKS, min_size=1, max_size=5),
    reason=REASONS,
    piece=st.integers(1, 9),
    cuts=st.lists(st.integers(0, 4000), max_size=8),
)
def test_a_stream_says_what_the_plain_answer_says(
    content: list[dict[str, Any]], reason: str, piece: int, cuts: list[int]
) -> None:
    whole = message(*content, stop_reason=reason, usage=CACHED)
    raw = encoded(events_of(whole, piece=piece))
    splitter, translator, out = sse.Splitter(), ADAPTER.stream({}), b""
    edges = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    for first, second in zip(edges, edges[1:], strict=False):
        out += translator.feed(splitter.feed(raw[first:second]))
    assert gathered(read(out)) == plainly(ADAPTER.answer(whole))


def gathered(found: list[Any]) -> dict[str, Any]:
    """What a client of the stream has in the end."""
    assert found[-1] == "[DONE]"
    assert found[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    answer: dict[str, Any] = {"content": "", "reasoning_content": "", "tool_calls": []}
    for one in found[:-1]:
        answer |= {"usage": one["usage"]} if "usage" in one else {}
        for choice in one["choices"]:
            add(answer, choice["delta"])
            answer["finish_reason"] = choice["finish_reason"]
    for call in answer["tool_calls"]:
        call["arguments"] = json.loads(call["arguments"])
    return answer


def add(answer: dict[str, Any], delta: dict[str, Any]) -> None:
    for name in ("content", "reasoning_content"):
        answer[name] += delta.get(name, "")
    for call in delta.get("tool_calls", []):
        function = call["function"]
        if "id" in call:
            answer["tool_calls"].append(
                {"id": call["id"], "arguments": "", "name": function["name"]}
            )
        answer["tool_calls"][call["index"]]["arguments"] += function["arguments"]


def plainly(answer: dict[str, Any]) -> dict[str, Any]:
    """The same of a plain answer."""
    (choice,) = answer["choices"]
    said = choice["message"]
    calls = [
        {
            "id": call["id"],
            "arguments": json.loads(call["function"]["arguments"]),
            "name": call["function"]["name"],
        }
        for call in said.get("tool_calls", [])
    ]
    return {
        "content": said["content"] or "",
        "reasoning_content": said.get("reasoning_content", ""),
        "tool_calls": calls,
        "finish_reason": choice["finish_reason"],
        "usage": answer["usage"],
    }


def test_the_route_reads_usage_and_text_of_the_chunks() -> None:
    stream = ChatStream({"stream": True})
    shown = stream.feed(ADAPTER.stream({}).feed(encoded(events_of(message(TEXT, usage=CACHED)))))
    assert stream.done
    assert stream.text() == "Clouds drift by"
    assert b'"usage"' not in shown
    assert stream.usage is not None
    usage, flags = stream.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.cache_write_1h_tokens) == (
        1710,
        50,
        200,
    )
    assert flags == frozenset()


def test_a_ping_passes_as_a_comment_once_something_was_said() -> None:
    stream = ADAPTER.stream({"model": "claude"})
    assert stream.feed(encoded([START, {"type": "ping"}])) == b""
    stream.feed(encoded([HELLO]))
    assert stream.feed(encoded([{"type": "ping"}])) == b": ping\n\n"
