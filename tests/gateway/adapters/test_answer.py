"""Messages of Anthropic as chat completions, with usage that is priced to the token."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.anthropic import AnthropicChat
from gateway.pricing.rates import Band, Rates, cost_nanos
from gateway.pricing.usage import Usage
from gateway.proxy.errors import UpstreamFailure

ADAPTER = AnthropicChat(clock=lambda: 1_700_000_000.9)


def message(*content: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": list(content),
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 14, "output_tokens": 25},
        **changes,
    }


TEXT = {"type": "text", "text": "Clouds drift by"}


def test_a_text() -> None:
    assert ADAPTER.answer(message(TEXT)) == {
        "id": "msg_1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "claude-sonnet-4-5-20250929",
        "system_fingerprint": None,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Clouds drift by", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 14,
            "completion_tokens": 25,
            "total_tokens": 39,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }


def choice(*content: dict[str, Any], **changes: Any) -> dict[str, Any]:
    (only,) = ADAPTER.answer(message(*content, **changes))["choices"]
    return only  # type: ignore[no-any-return]


def test_thoughts_texts_and_calls_of_tools() -> None:
    said = choice(
        {"type": "thinking", "thinking": "Hm, ", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "eA=="},
        {"type": "thinking", "thinking": "well.", "signature": "c2ln"},
        {"type": "text", "text": "Let "},
        {"type": "text", "text": "me see."},
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Bern"}},
        {"type": "tool_use", "id": "toolu_2", "name": "now", "input": {}},
        stop_reason="tool_use",
    )
    assert said["finish_reason"] == "tool_calls"
    assert said["message"] == {
        "role": "assistant",
        "content": "Let me see.",
        "refusal": None,
        "reasoning_content": "Hm, well.",
        "tool_calls": [
            {
                "id": "toolu_1",
                "type": "function",
                "function": {"name": "weather", "arguments": '{"city":"Bern"}'},
            },
            {"id": "toolu_2", "type": "function", "function": {"name": "now", "arguments": "{}"}},
        ],
    }


def test_calls_without_a_text_have_no_content() -> None:
    call = {"type": "tool_use", "id": "toolu_1", "name": "now", "input": {}}
    assert choice(call, stop_reason="tool_use")["message"]["content"] is None


@pytest.mark.parametrize(
    ("reason", "name"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("something_new", "stop"),
        (["end_turn"], "stop"),
    ],
)
def test_why_an_answer_ended(reason: Any, name: str) -> None:
    assert choice(TEXT, stop_reason=reason)["finish_reason"] == name


def test_a_refusal_says_why() -> None:
    details = {"type": "refusal", "category": "bio", "explanation": "Not this."}
    said = choice(stop_reason="refusal", stop_details=details)
    assert said["message"] == {"role": "assistant", "content": None, "refusal": "Not this."}


def test_a_message_without_anything_in_it_has_no_choices() -> None:
    assert ADAPTER.answer(message(stop_reason=None, usage=None)) == {
        "id": "msg_1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "claude-sonnet-4-5-20250929",
        "system_fingerprint": None,
        "choices": [],
    }


def test_an_error_in_an_answer_stays_an_error() -> None:
    error = {"type": "error", "error": {"type": "api_error", "message": "Broken"}}
    assert ADAPTER.answer(error)["error"]["message"] == "Broken"


def test_an_input_too_deep_to_write_is_a_failure_of_the_provider() -> None:
    deep: dict[str, Any] = {}
    for _ in range(300):
        deep = {"a": deep}
    with pytest.raises(UpstreamFailure):
        ADAPTER.answer(message({"type": "tool_use", "id": "t", "name": "f", "input": deep}))


def usage(**counts: Any) -> dict[str, Any]:
    return ADAPTER.answer(message(TEXT, usage=counts))["usage"]  # type: ignore[no-any-return]


CACHED = {
    "input_tokens": 10,
    "cache_read_input_tokens": 1000,
    "cache_creation_input_tokens": 700,
    "cache_creation": {"ephemeral_5m_input_tokens": 500, "ephemeral_1h_input_tokens": 200},
    "output_tokens": 50,
    "output_tokens_details": {"thinking_tokens": 30},
}


def test_prompt_tokens_have_cache_reads_and_writes_in_them() -> None:
    assert usage(**CACHED) == {
        "prompt_tokens": 1710,
        "completion_tokens": 50,
        "total_tokens": 1760,
        "prompt_tokens_details": {
            "cached_tokens": 1000,
            "cache_write_tokens": 500,
            "cache_write_1h_tokens": 200,
        },
        "completion_tokens_details": {"reasoning_tokens": 30},
    }


def test_every_class_is_priced_at_its_own_rate() -> None:
    band = Band(
        input=3_000_000_000,
        output=15_000_000_000,
        cached_input=300_000_000,
        cache_write=3_750_000_000,
        cache_write_1h=6_000_000_000,
    )
    read, flags = Usage.from_openai(usage(**CACHED))
    assert flags == frozenset()
    # 10 × $3 + 1,000 × $0.30 + 500 × $3.75 + 200 × $6 + 50 × $15 a million
    assert cost_nanos(read, Rates(band)) == 30_000 + 300_000 + 1_875_000 + 1_200_000 + 750_000


def test_writes_without_a_breakdown_are_for_5_minutes() -> None:
    details = usage(input_tokens=1, cache_creation_input_tokens=7)["prompt_tokens_details"]
    assert details == {"cached_tokens": 0, "cache_write_tokens": 7}


def test_a_breakdown_larger_than_its_total_counts() -> None:
    breakdown = {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 4}
    counts = usage(input_tokens=1, cache_creation_input_tokens=7, cache_creation=breakdown)
    assert counts["prompt_tokens"] == 10


@pytest.mark.parametrize("odd", [-5, "12", 1.5, True, [], 2**64 - 1])
def test_numbers_that_are_no_counts_are_flagged(odd: Any) -> None:
    _, flags = Usage.from_openai(
        usage(input_tokens=odd, output_tokens=3, cache_read_input_tokens=1)
    )
    assert "usage_clamped" in flags


def test_half_of_the_usage_is_the_half_that_is_known() -> None:
    assert usage(output_tokens=3) == {
        "completion_tokens": 3,
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


@pytest.mark.parametrize(
    ("kind", "message", "code"),
    [
        ("overloaded_error", "Overloaded", "overloaded_error"),
        ("rate_limit_error", "Slow down", "rate_limit_exceeded"),
        ("billing_error", "Pay", "insufficient_quota"),
        (
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API.",
            "insufficient_quota",
        ),
        (
            "invalid_request_error",
            "prompt is too long: 213423 tokens > 200000 maximum",
            "context_length_exceeded",
        ),
        ("not_found_error", "model: claude-9", "model_not_found"),
        ("authentication_error", "invalid x-api-key", "invalid_api_key"),
        ("invalid_request_error", "max_tokens: too large", "invalid_request_error"),
    ],
)
def test_an_error_body(kind: str, message: str, code: str) -> None:
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}
    assert orjson.loads(ADAPTER.error(orjson.dumps(body))) == {
        "error": {"message": message, "type": kind, "param": None, "code": code},
        "request_id": "req_1",
    }


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error":"no"}', b'{"detail":{}}'])
def test_a_body_without_an_error_stays_as_it_is(body: bytes) -> None:
    assert ADAPTER.error(body) == body


NAMES = st.sampled_from(
    [
        *("id", "type", "model", "content", "stop_reason", "stop_details", "explanation", "usage"),
        *("text", "thinking", "input", "name", "input_tokens", "output_tokens", "error", "message"),
        *("cache_creation", "cache_read_input_tokens", "ephemeral_1h_input_tokens", "code"),
    ]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(garbage=st.dictionaries(NAMES, ANYTHING, max_size=6))
def test_any_answer_gives_an_object_with_choices_or_an_error(garbage: dict[str, Any]) -> None:
    answer = ADAPTER.answer(garbage)
    assert ("choices" in answer) != ("error" in answer)
    Usage.from_openai(answer.get("usage"))
    ADAPTER.error(repr(garbage).encode())
