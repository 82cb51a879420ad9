"""Counts the prompt of a chat request."""

from collections.abc import Mapping
from typing import Any

from gateway.tokens import media
from gateway.tokens.counters import Counter
from gateway.tokens.errors import InvalidRequest

# Fields that never reach the prompt. Text in any other field may: servers have many extensions.
_NOT_PROMPT = frozenset(
    (
        *("model", "messages", "prediction", "modalities", "audio", "user", "metadata", "stop"),
        *("stream_options", "logit_bias", "tool_choice", "function_call", "service_tier"),
        *("reasoning_effort", "verbosity", "prompt_cache_key", "safety_identifier"),
    )
)


def prompt_tokens(request: Mapping[str, Any], model: str, counter: Counter, official: bool) -> int:
    """Prompt tokens of a chat request by ``counter``.

    Raises ``InvalidRequest`` where there are no messages or a value cannot be counted.
    """
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages:
        raise InvalidRequest("messages", "must be a list with at least one message")
    total = counter.per_request + extras(request, counter, _NOT_PROMPT)
    for index, message in enumerate(messages):
        if not isinstance(message, Mapping):
            raise InvalidRequest(f"messages.{index}", "must be an object with role and content")
        total += counter.per_message + _message(message, index, model, counter, official)
    return total


def _message(
    message: Mapping[str, Any], index: int, model: str, counter: Counter, official: bool
) -> int:
    total = 0
    for key, value in message.items():
        if value is None:
            continue
        if isinstance(value, str):
            total += counter.text(value) if key != "role" else max(1, counter.text(value))
            total += 1 if key == "name" else 0
        elif key == "content" and isinstance(value, list):
            total += sum(
                _part(part, f"messages.{index}.content", model, counter, official) for part in value
            )
        else:
            total += counter.json(value, f"messages.{index}.{key}")
    return total


def _part(part: Any, field: str, model: str, counter: Counter, official: bool) -> int:
    if not isinstance(part, Mapping):
        return counter.json(part, field)
    kind = part.get("type")
    if kind == "text" and isinstance(part.get("text"), str):
        return counter.per_part + counter.text(part["text"])
    if kind in ("image_url", "input_image"):
        return media.image_tokens(model, part, official=official)
    if kind == "input_audio":
        return media.audio_tokens(part)
    if kind in ("file", "input_file"):
        return media.file_tokens(part)
    return counter.json(part, field)


def extras(request: Mapping[str, Any], counter: Counter, not_prompt: frozenset[str]) -> int:
    """Tokens of the fields beside the prompt that may be written into it, tools above all."""
    total = 0
    for key, value in request.items():
        if key in not_prompt or not value or not isinstance(value, str | list | dict):
            continue
        total += counter.with_tools + counter.json(value, key)
        if isinstance(value, list):
            total += len(value) * counter.per_tool
    return total
