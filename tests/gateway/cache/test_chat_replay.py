"""A chat completion in its other form: nothing is lost on the way there and back."""

from typing import Any

import orjson
import pytest

from gateway.proxy import sse
from gateway.proxy.routes.chat_replay import ChatReplay

CHAT = ChatReplay("chat.completion", "chat.completion.chunk")
TEXT = ChatReplay("text_completion", "text_completion")
FRAME = {"id": "chatcmpl-1", "created": 1, "model": "gpt-4o-mini", "system_fingerprint": "fp"}
USAGE = {"prompt_tokens": 14, "completion_tokens": 25, "total_tokens": 39}


def choice(index: int = 0, **message: Any) -> dict[str, Any]:
    said = {"role": "assistant", "content": None} | message
    return {"index": index, "logprobs": None, "finish_reason": "stop", "message": said}


def answer(*choices: dict[str, Any]) -> dict[str, Any]:
    return FRAME | {"object": "chat.completion", "choices": list(choices), "usage": USAGE}


CALLS = [
    {"id": "call_1", "type": "function", "function": {"name": "now", "arguments": '{"zone":1}'}},
    {"id": "call_2", "type": "function", "function": {"name": "sum", "arguments": "{}"}},
]


@pytest.mark.parametrize(
    "plain",
    [
        answer(choice(content="Clouds drift by")),
        answer(choice(0, content="a"), choice(1, content="b")),
        answer(choice(tool_calls=CALLS)),
        answer(choice(content="yes", reasoning_content="because")),
        answer(choice(content="a") | {"logprobs": {"content": [{"token": "a", "logprob": -1.5}]}}),
    ],
    ids=["text", "two choices", "tool calls", "reasoning", "logprobs"],
)
def test_an_answer_survives_as_a_stream(plain: dict[str, Any]) -> None:
    events = CHAT.events(plain, {})
    assert events.endswith(sse.DONE)
    assert CHAT.whole(events) == plain


def test_the_deltas_of_a_stream_add_up() -> None:
    deltas: list[dict[str, Any]] = [
        {"role": "assistant", "content": ""},
        {"content": "Clouds"},
        {"content": " drift"},
        {"tool_calls": [{"index": 0, "id": "call_1", "type": "function"}]},
        {"tool_calls": [{"index": 0, "function": {"name": "now", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"zo'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": 'ne":1}'}}]},
    ]
    chunks = [
        FRAME | {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta}]}
        for delta in deltas
    ]
    chunks.append(FRAME | {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    chunks.append(FRAME | {"choices": [], "usage": USAGE})
    stream = b"".join(b"data: " + orjson.dumps(chunk) + b"\n\n" for chunk in chunks) + sse.DONE

    expected = choice(content="Clouds drift", tool_calls=CALLS[:1]) | {
        "finish_reason": "tool_calls"
    }
    assert CHAT.whole(stream) == answer(expected)


def test_a_completion_keeps_its_text() -> None:
    plain = FRAME | {
        "object": "text_completion",
        "choices": [{"index": 0, "text": "Once", "logprobs": None, "finish_reason": "length"}],
        "usage": USAGE,
    }
    assert TEXT.whole(TEXT.events(plain, {})) == plain
