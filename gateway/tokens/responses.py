"""Bounds of a request to ``/v1/responses``.

What is kept at the provider (earlier responses, conversations, items by id) makes a prompt longer
than what is sent. Its bound is the model's context window where that is known; where it is not, it
is named as a feature nobody has a price for.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.pricing import catalogue
from gateway.tokens import counters, media
from gateway.tokens.completion import RESPONSES, bound
from gateway.tokens.counters import Counter
from gateway.tokens.errors import InvalidRequest
from gateway.tokens.estimate import Estimate
from gateway.tokens.features import features_of_responses
from gateway.tokens.prompt import extras

PROVIDER = "openai"
"""Whose windows count: the servers of others are not asked for what they keep."""

_STATE = ("conversation", "previous_response_id", "prompt")
_NOT_PROMPT = frozenset(
    (
        *("model", "input", "user", "metadata", "include", "stream_options", "tool_choice"),
        *("service_tier", "truncation", "prompt_cache_key", "safety_identifier", "reasoning"),
        *("prompt_cache_options", "prompt_cache_retention", "context_management", "moderation"),
        *("background_options", "access_programs", *_STATE),
    )
)
_NOT_TEXT = frozenset(("role", "type", "status", "id", "call_id"))
_TEXTS = ("input_text", "output_text", "summary_text", "reasoning_text", "text")


def response_estimate(
    request: Mapping[str, Any],
    model: str,
    *,
    default_max_output_tokens: int,
    official: bool = False,
) -> Estimate:
    """Bounds of a response; raises ``InvalidRequest`` naming the field."""
    counter = counters.bounding(model, official=official)
    completion = bound(
        request, model, default_max_output_tokens=default_max_output_tokens, names=RESPONSES
    )
    prompt = _prompt(request, model, counter, official)
    features = features_of_responses(request)
    state = sorted(set(_kept(request)))
    window = catalogue.context_window(PROVIDER, model) if state and official else None
    if state and window is None:
        features = (*features, *state)
    return Estimate(
        prompt_tokens=max(prompt, window or 0),
        completion_tokens=completion.per_choice * completion.choices,
        choices=completion.choices,
        method="window" if window else counter.method,
        add=completion.add,
        features=features,
    )


def count_response_prompt(request: Mapping[str, Any], model: str) -> int:
    """Prompt tokens that were sent, as near to the truth as is known."""
    return _prompt(request, model, counters.likely(model), official=True)


def _kept(request: Mapping[str, Any]) -> Iterator[str]:
    """Fields and items that stand for something longer."""
    for name in ("conversation", "previous_response_id"):
        if request.get(name) is not None:
            yield name
    items = request.get("input")
    for item in items if isinstance(items, list) else []:
        if isinstance(item, Mapping) and _stands_for_more(item):
            yield "stored_items"


def _stands_for_more(item: Mapping[str, Any]) -> bool:
    kind = item.get("type")
    if kind == "item_reference" or (kind is None and "role" not in item):
        return True
    return kind in ("reasoning", "compaction") and not item.get("encrypted_content")


def _prompt(request: Mapping[str, Any], model: str, counter: Counter, official: bool) -> int:
    total = counter.per_request + extras(request, counter, _NOT_PROMPT)
    value = request.get("input")
    if value is None and any(request.get(name) is not None for name in _STATE):
        return total
    if isinstance(value, str):
        return total + counter.per_message + 1 + counter.text(value)
    if not isinstance(value, list) or not value:
        raise InvalidRequest("input", "must be a text or a list with at least one item")
    for index, item in enumerate(value):
        if not isinstance(item, Mapping):
            raise InvalidRequest(f"input.{index}", "must be an object")
        total += counter.per_message + 1 + _item(item, f"input.{index}", model, counter, official)
    return total


def _item(item: Mapping[str, Any], field: str, model: str, counter: Counter, official: bool) -> int:
    total = 0
    for key, value in item.items():
        if value is None or key in _NOT_TEXT:
            continue
        if isinstance(value, str):
            total += counter.text(value)
        elif isinstance(value, list) and key != "tools":
            total += sum(_part(part, f"{field}.{key}", model, counter, official) for part in value)
        else:
            total += counter.with_tools + counter.json(value, f"{field}.{key}")
    return total


def _part(part: Any, field: str, model: str, counter: Counter, official: bool) -> int:
    if not isinstance(part, Mapping):
        return counter.json(part, field)
    kind = part.get("type")
    if kind in _TEXTS and isinstance(part.get("text"), str):
        return counter.per_part + counter.text(part["text"])
    if kind in ("input_image", "image_url", "computer_screenshot"):
        return media.image_tokens(model, part, official=official)
    if kind == "input_audio":
        return media.audio_tokens(part)
    if kind == "input_file":
        return media.file_tokens(part)
    return counter.json(part, field)
