"""The local model's Messages API, which nobody here wrote, understands what the adapter says."""

import json
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.adapters.anthropic import AnthropicChat
from gateway.pricing.usage import Usage
from gateway.proxy import sse
from keeptrusts.supervisor import ports
from tests.kt.processes import running

ADAPTER = AnthropicChat()
LOOKED_UP = {"name": "weather", "arguments": '{"city":"Bern"}'}
CHAT: dict[str, Any] = {
    "model": "smollm2",
    "max_tokens": 8,
    "temperature": 0,
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "How is the weather in Bern?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_1", "type": "function", "function": LOOKED_UP}],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "sun"},
        {"role": "user", "content": [{"type": "text", "text": "Thanks. Say it in one word."}]},
    ],
    "tools": [{"type": "function", "function": {"name": "weather", "description": "The weather"}}],
    "tool_choice": "auto",
    "stop": ["###"],
}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the local model serves the path of the adapter."""
    port = ports.unused()
    command = ("model", "serve", "--port", str(port), "--alias", "smollm2")
    folder = tmp_path_factory.mktemp("model")
    with running(sys.executable, "-m", "keeptrusts.kt", *command, cwd=folder) as server:
        server.until_says("Model ready: ")
        yield f"http://127.0.0.1:{port}/v1{ADAPTER.path}"


def post(address: str, chat: dict[str, Any]) -> bytes:
    headers = {"content-type": "application/json", **ADAPTER.headers("unused", {})}
    body = json.dumps(ADAPTER.request(chat)).encode()
    request = urllib.request.Request(address, body, headers)
    with urllib.request.urlopen(request, timeout=120) as answer:
        return answer.read()  # type: ignore[no-any-return]


def test_the_model_answers_plain(address: str) -> None:
    answer = ADAPTER.answer(json.loads(post(address, CHAT)))

    (choice,) = answer["choices"]
    assert choice["finish_reason"] in ("stop", "length", "tool_calls")
    assert choice["message"]["content"] or choice["message"].get("tool_calls")
    usage, flags = Usage.from_openai(answer["usage"])
    assert usage.prompt_tokens > 20
    assert 0 < usage.completion_tokens <= 8
    assert flags == frozenset()


def test_a_stream_of_the_model_says_the_same(address: str) -> None:
    plain = ADAPTER.answer(json.loads(post(address, CHAT)))
    events = ADAPTER.stream(CHAT).feed(post(address, {**CHAT, "stream": True}))

    *chunks, done = [sse.data_of(event) for event in sse.events(events)]
    assert done == b"[DONE]"
    found = [json.loads(chunk) for chunk in chunks]
    deltas = [choice["delta"] for chunk in found for choice in chunk["choices"]]
    text = "".join(delta.get("content", "") for delta in deltas)
    assert text == (plain["choices"][0]["message"]["content"] or "")
    assert found[-2]["choices"][0]["finish_reason"] == plain["choices"][0]["finish_reason"]
    assert found[-1]["usage"]["prompt_tokens"] == plain["usage"]["prompt_tokens"]
    assert found[-1]["usage"]["completion_tokens"] == plain["usage"]["completion_tokens"]
