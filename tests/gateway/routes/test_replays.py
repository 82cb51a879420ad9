"""A finished answer in its other form, and back: nothing is lost."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.proxy import sse
from gateway.proxy.routes import chat, completions, messages, responses
from tests.fakes import dialects

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
names = st.text("abcdefgh_", min_size=1, max_size=8)
counts = st.integers(0, 10_000)
inputs = st.dictionaries(names, st.one_of(texts, st.integers(-9, 9), st.booleans()), max_size=3)
openai_usage = st.fixed_dictionaries(
    {
        "prompt_tokens": counts,
        "completion_tokens": counts,
        "total_tokens": counts,
        "completion_tokens_details": st.fixed_dictionaries({"reasoning_tokens": counts}),
    }
)


def logprob(text: str) -> dict[str, Any]:
    return {"token": text, "logprob": -0.5, "bytes": None, "top_logprobs": []}


calls = st.builds(
    lambda number, name, given: {
        "id": f"call_{number}",
        "type": "function",
        "function": {"name": name, "arguments": json.dumps(given)},
    },
    counts,
    names,
    inputs,
)
chat_messages = st.fixed_dictionaries(
    {"role": st.just("assistant"), "content": st.one_of(st.none(), texts)},
    optional={
        "refusal": st.one_of(st.none(), texts),
        "reasoning_content": texts,
        "tool_calls": st.lists(calls, min_size=1, max_size=3),
        "annotations": st.lists(st.just({"type": "url_citation"}), max_size=2),
    },
)
chat_logprobs = st.one_of(
    st.none(),
    st.builds(
        lambda found: {"content": [logprob(text) for text in found], "refusal": None},
        st.lists(texts, max_size=3),
    ),
)


def _choices(parts: list[tuple[Any, ...]], name: str) -> list[dict[str, Any]]:
    return [
        {"index": index, name: text, "logprobs": logprobs, "finish_reason": reason}
        for index, (text, logprobs, reason) in enumerate(parts)
    ]


reasons = st.sampled_from(["stop", "length", "tool_calls", "content_filter"])
chat_answers = st.builds(
    lambda parts, usage: {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "gpt-4o-mini",
        "system_fingerprint": "fp_1",
        "service_tier": "default",
        "choices": _choices(parts, "message"),
        "usage": usage,
    },
    st.lists(st.tuples(chat_messages, chat_logprobs, reasons), min_size=1, max_size=3),
    openai_usage,
)
text_logprobs = st.one_of(
    st.none(),
    st.builds(
        lambda found: {
            "tokens": found,
            "token_logprobs": [-0.5] * len(found),
            "top_logprobs": [{}] * len(found),
            "text_offset": [0] * len(found),
        },
        st.lists(texts, max_size=3),
    ),
)
text_answers = st.builds(
    lambda parts, usage: {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 1_700_000_000,
        "model": "gpt-3.5-turbo-instruct",
        "choices": _choices(parts, "text"),
        "usage": usage,
    },
    st.lists(st.tuples(texts, text_logprobs, reasons), min_size=1, max_size=3),
    openai_usage,
)


def _shown(stream: Any, events: bytes) -> bytes:
    """What a client gets, one event at a time."""
    passed = b"".join(stream.feed(event) for event in sse.events(events))
    assert stream.done
    return passed + bytes(stream.end())


@given(chat_answers)
@settings(max_examples=150, deadline=None)
def test_a_chat_survives_both_ways(answer: dict[str, Any]) -> None:
    assert chat.ROUTE.replay is not None
    events = chat.ROUTE.replay.events(answer, {})

    assert chat.ROUTE.replay.whole(events) == answer
    stream = chat.ChatStream({"stream_options": {"include_usage": True}})
    assert _shown(stream, events) == events
    assert stream.usage == chat.read_usage(answer)


@given(text_answers)
@settings(max_examples=100, deadline=None)
def test_a_text_completion_survives_both_ways(answer: dict[str, Any]) -> None:
    assert completions.ROUTE.replay is not None
    events = completions.ROUTE.replay.events(answer, {})

    assert completions.ROUTE.replay.whole(events) == answer
    assert _shown(chat.ChatStream({"stream_options": {"include_usage": True}}), events) == events


def test_a_recorded_stream_of_a_chat_becomes_one_answer() -> None:
    frame = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}

    def chunk(index: int, reason: str | None = None, **delta: Any) -> bytes:
        choice = {"index": index, "delta": delta, "finish_reason": reason}
        return dialects.data(frame | {"choices": [choice]})

    call = {"index": 0, "id": "call_1", "type": "function"}
    events = b"".join(
        (
            chunk(0, role="assistant", content=""),
            chunk(1, role="assistant", content=""),
            chunk(1, content="Bye"),
            chunk(0, content="Hel"),
            chunk(0, content="lo"),
            chunk(0, tool_calls=[{**call, "function": {"name": "f", "arguments": ""}}]),
            chunk(0, tool_calls=[{"index": 0, "function": {"arguments": '{"a"'}}]),
            chunk(0, tool_calls=[{"index": 0, "function": {"arguments": ":1}"}}]),
            chunk(0, "tool_calls"),
            chunk(1, "stop"),
            dialects.data(frame | {"choices": [], "usage": {"total_tokens": 3}}),
            b"data: [DONE]\n\n",
        )
    )
    assert chat.ROUTE.replay is not None
    whole = chat.ROUTE.replay.whole(events)

    first, second = whole["choices"]
    assert first["message"]["content"] == "Hello"
    assert first["message"]["tool_calls"] == [
        {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    ]
    assert (first["finish_reason"], second["finish_reason"]) == ("tool_calls", "stop")
    assert second["message"]["content"] == "Bye"
    assert (whole["object"], whole["usage"]) == ("chat.completion", {"total_tokens": 3})


output_parts = st.one_of(
    st.builds(
        lambda text, logprobs: {
            "type": "output_text",
            "text": text,
            "annotations": [{"type": "url_citation", "url": "https://example.org"}],
            "logprobs": [logprob(found) for found in logprobs],
        },
        texts,
        st.lists(texts, max_size=2),
    ),
    st.builds(lambda text: {"type": "refusal", "refusal": text}, texts),
)
output_items = st.one_of(
    st.builds(
        lambda parts: {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": parts,
        },
        st.lists(output_parts, max_size=3),
    ),
    st.builds(
        lambda text: {
            "id": "rs_1",
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": text}],
            "content": [{"type": "reasoning_text", "text": text}],
            "encrypted_content": "abc",
        },
        texts,
    ),
    st.builds(
        lambda name, given: {
            "id": "fc_1",
            "type": "function_call",
            "call_id": "call_1",
            "name": name,
            "arguments": json.dumps(given),
            "status": "completed",
        },
        names,
        inputs,
    ),
    st.builds(
        lambda text: {"id": "ct_1", "type": "custom_tool_call", "name": "f", "input": text}, texts
    ),
)
response_answers = st.builds(
    lambda items, status, usage: {
        "id": "resp_1",
        "object": "response",
        "status": status,
        "model": "gpt-4o-mini",
        "output": items,
        "usage": usage,
    },
    st.lists(output_items, max_size=4),
    st.sampled_from(["completed", "incomplete"]),
    st.fixed_dictionaries(
        {"input_tokens": counts, "output_tokens": counts, "total_tokens": counts}
    ),
)


@given(response_answers)
@settings(max_examples=100, deadline=None)
def test_a_response_survives_both_ways(answer: dict[str, Any]) -> None:
    assert responses.ROUTE.replay is not None
    events = responses.ROUTE.replay.events(answer, {})

    assert responses.ROUTE.replay.whole(events) == answer
    stream = responses.ResponseStream({})
    assert _shown(stream, events) == events
    assert stream.usage == responses.read_usage(answer)
    assert stream.text() == _text_of(answer)


def _text_of(answer: dict[str, Any]) -> str:
    """Names come before the arguments they belong to in a stream too."""
    found = []
    for item in answer["output"]:
        found.append(item.get("name", ""))
        found += [part.get("text", "") for part in item.get("summary", ())]
        found += [part.get("text", part.get("refusal", "")) for part in item.get("content", ())]
        found.append(item.get("arguments", item.get("input", "")))
    return "".join(found)


blocks = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text}, texts),
    st.builds(
        lambda text, cited: {
            "type": "text",
            "text": text,
            "citations": [{"type": "char_location", "cited_text": found} for found in cited],
        },
        texts,
        st.lists(texts, max_size=2),
    ),
    st.builds(
        lambda text, signature: {"type": "thinking", "thinking": text, "signature": signature},
        texts,
        names,
    ),
    st.just({"type": "redacted_thinking", "data": "abc"}),
    st.builds(
        lambda number, name, given: {
            "type": "tool_use",
            "id": f"toolu_{number}",
            "name": name,
            "input": given,
        },
        counts,
        names,
        inputs,
    ),
)
message_answers = st.builds(
    lambda content, reason, usage: {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5",
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": usage,
    },
    st.lists(blocks, max_size=4),
    st.sampled_from(["end_turn", "tool_use", "max_tokens", "refusal"]),
    st.fixed_dictionaries(
        {
            "input_tokens": counts,
            "cache_read_input_tokens": counts,
            "cache_creation_input_tokens": st.just(7),
            "cache_creation": st.just(
                {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 3}
            ),
            "output_tokens": counts,
        }
    ),
)


@given(message_answers)
@settings(max_examples=150, deadline=None)
def test_a_message_survives_both_ways(answer: dict[str, Any]) -> None:
    assert messages.ROUTE.replay is not None
    events = messages.ROUTE.replay.events(answer, {})

    assert messages.ROUTE.replay.whole(events) == answer
    stream = messages.MessageStream({})
    assert _shown(stream, events) == events
    assert stream.usage == messages.read_usage(answer)


def test_a_call_that_was_cut_off_in_its_middle_has_no_input() -> None:
    said: list[dict[str, Any]] = [
        {"type": "message_start", "message": {"id": "msg_1", "usage": {"input_tokens": 3}}},
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "input_json_delta", "partial_json": '{"city": "Os'},
        },
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "max_tokens"},
            "usage": {"output_tokens": 9, "input_tokens": None},
        },
        {"type": "message_stop"},
    ]
    assert messages.ROUTE.replay is not None
    whole = messages.ROUTE.replay.whole(b"".join(dialects.named(value) for value in said))

    assert whole["content"] == [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]
    assert whole["usage"] == {"input_tokens": 3, "output_tokens": 9}
    assert whole["stop_reason"] == "max_tokens"
