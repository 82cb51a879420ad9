"""A message as a chat completion."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from gateway.adapters.anthropic import errors
from gateway.adapters.anthropic.usage import Report
from gateway.proxy.errors import UpstreamFailure

STOP, LENGTH, TOOL_CALLS, FILTERED = "stop", "length", "tool_calls", "content_filter"
REASONS = {
    "end_turn": STOP,
    "stop_sequence": STOP,
    "pause_turn": STOP,
    "max_tokens": LENGTH,
    "model_context_window_exceeded": LENGTH,
    "tool_use": TOOL_CALLS,
    "refusal": FILTERED,
}
"""What ``stop_reason`` is called by OpenAI; one that is not known says ``stop``."""


def completion(message: Mapping[str, Any], *, created: int) -> dict[str, Any]:
    """The chat completion that says what ``message`` says; an error stays one.

    Raises ``UpstreamFailure`` for the input of a tool that no JSON can hold.
    """
    if isinstance(message.get("error"), Mapping):
        return errors.shaped(message)
    blocks = list(_blocks(message.get("content")))
    calls = [block for block in blocks if block.get("type") == "tool_use"]
    said: dict[str, Any] = {
        "role": "assistant",
        "content": _joined(blocks, "text") or None,
        "refusal": refusal(message),
    }
    if thought := _joined(blocks, "thinking"):
        said["reasoning_content"] = thought
    if calls:
        said["tool_calls"] = [
            {
                "id": as_text(call.get("id")),
                "type": "function",
                "function": {"name": as_text(call.get("name")), "arguments": arguments(call)},
            }
            for call in calls
        ]
    choice = {
        "index": 0,
        "message": said,
        "logprobs": None,
        "finish_reason": finish_reason(message.get("stop_reason")),
    }
    answer = {
        "id": as_text(message.get("id")),
        "object": "chat.completion",
        "created": created,
        "model": as_text(message.get("model")),
        "system_fingerprint": None,
        "choices": [choice] if blocks or message.get("stop_reason") else [],
    }
    report = Report()
    report.add(message.get("usage"))
    usage = report.whole()
    return answer | ({"usage": usage} if usage else {})


def finish_reason(reason: Any) -> str:
    """The name OpenAI has for a ``stop_reason``."""
    return REASONS.get(reason, STOP) if isinstance(reason, str) else STOP


def refusal(message: Mapping[str, Any]) -> str | None:
    """Why the answer was refused, where Anthropic explains it."""
    details = message.get("stop_details")
    explanation = details.get("explanation") if isinstance(details, Mapping) else None
    return explanation if isinstance(explanation, str) else None


def arguments(call: Mapping[str, Any]) -> str:
    """The input of a tool call as JSON; raises ``UpstreamFailure``."""
    given = call.get("input")
    try:
        return orjson.dumps(given if isinstance(given, Mapping) else {}).decode()
    except orjson.JSONEncodeError:
        raise UpstreamFailure(
            502, "The input of a tool call is nested too deeply.", code="upstream_garbage"
        ) from None


def as_text(value: Any) -> str:
    """``value`` where it is a string, else nothing."""
    return value if isinstance(value, str) else ""


def _blocks(content: Any) -> Iterator[Mapping[str, Any]]:
    for block in content if isinstance(content, list) else []:
        if isinstance(block, Mapping):
            yield block


def _joined(blocks: list[Mapping[str, Any]], kind: str) -> str:
    return "".join(as_text(block.get(kind)) for block in blocks if block.get("type") == kind)
