"""Bounds of a request to Anthropic's ``/v1/messages``, by the bytes: its tokenizer is not known."""

from collections.abc import Mapping
from typing import Any

from gateway.pricing import catalogue
from gateway.tokens import counters, media
from gateway.tokens.completion import MAX_TOKENS, MESSAGES, bound
from gateway.tokens.counters import Counter
from gateway.tokens.errors import InvalidRequest
from gateway.tokens.estimate import Estimate
from gateway.tokens.features import features_of_messages
from gateway.tokens.prompt import extras

PROVIDER = "anthropic"
CLIENT_TOOL = 4_096
"""Tokens of the instructions that come with a tool of Anthropic's own (shell, editor, browser)."""

_NOT_PROMPT = frozenset(
    (
        *("model", "messages", "system", "metadata", "stop_sequences", "tool_choice", "thinking"),
        *("service_tier", "speed", "inference_geo", "context_management", "thread", "diagnostics"),
        *("fallback_credit_token", "cache_control"),
    )
)
_NOT_TEXT = frozenset(("role", "type", "id", "tool_use_id", "cache_control", "is_error"))


def message_estimate(
    request: Mapping[str, Any],
    model: str,
    *,
    default_max_output_tokens: int,
    official: bool = False,
) -> Estimate:
    """Bounds of a message; raises ``InvalidRequest`` naming the field."""
    if request.get("max_tokens") is None:
        raise InvalidRequest("max_tokens", "is required")
    completion = bound(
        request, model, default_max_output_tokens=default_max_output_tokens, names=MESSAGES
    )
    per_choice = completion.per_choice + _thinking(request, completion.per_choice)
    prompt = _prompt(request, model, counters.BYTES, official)
    features = features_of_messages(request)
    window = None
    if _continues(request):
        window = catalogue.context_window(PROVIDER, model) if official else None
        features = features if window else (*features, "thread")
    return Estimate(
        prompt_tokens=max(prompt, window or 0),
        completion_tokens=per_choice * completion.choices,
        choices=completion.choices,
        method="window" if window else counters.BYTES.method,
        add=completion.add,
        features=features,
    )


def count_message_prompt(request: Mapping[str, Any], model: str) -> int:
    """Prompt tokens as near to the truth as is known."""
    return _prompt(request, model, counters.likely(model), official=True)


def no_estimate(
    request: Mapping[str, Any],
    model: str,
    *,
    default_max_output_tokens: int,
    official: bool = False,
) -> Estimate:
    """Bounds of a request that asks a model for nothing: none."""
    return Estimate(prompt_tokens=0, completion_tokens=0, choices=1, method="none")


def _thinking(request: Mapping[str, Any], most: int) -> int:
    """Thinking is part of ``max_tokens``, unless its budget is larger: between calls of tools."""
    thinking = request.get("thinking")
    budget = thinking.get("budget_tokens") if isinstance(thinking, Mapping) else None
    if budget is None:
        return 0
    if type(budget) is not int or not 1 <= budget <= MAX_TOKENS:
        raise InvalidRequest(
            "thinking.budget_tokens", f"must be a whole number from 1 to {MAX_TOKENS}"
        )
    return budget if budget >= most else 0


def _continues(request: Mapping[str, Any]) -> bool:
    """Whether the conversation is kept at the provider."""
    thread = request.get("thread")
    return thread is not None and not (
        isinstance(thread, Mapping) and thread.get("type") == "create"
    )


def _prompt(request: Mapping[str, Any], model: str, counter: Counter, official: bool) -> int:
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages:
        raise InvalidRequest("messages", "must be a list with at least one message")
    total = counter.per_request + extras(request, counter, _NOT_PROMPT) + _tools(request)
    total += _content(request.get("system"), "system", model, counter, official)
    for index, message in enumerate(messages):
        if not isinstance(message, Mapping):
            raise InvalidRequest(f"messages.{index}", "must be an object with role and content")
        field = f"messages.{index}.content"
        total += counter.per_message + 1
        total += _content(message.get("content"), field, model, counter, official)
    return total


def _tools(request: Mapping[str, Any]) -> int:
    """What Anthropic writes about the tools that a request only names."""
    tools = request.get("tools")
    given = [t for t in tools if isinstance(t, Mapping)] if isinstance(tools, list) else []
    return sum(CLIENT_TOOL for tool in given if tool.get("type") not in (None, "custom"))


def _content(value: Any, field: str, model: str, counter: Counter, official: bool) -> int:
    if value is None:
        return 0
    if isinstance(value, str):
        return counter.text(value)
    if not isinstance(value, list):
        return counter.json(value, field)
    return sum(_block(block, field, model, counter, official) for block in value)


def _block(block: Any, field: str, model: str, counter: Counter, official: bool) -> int:
    if not isinstance(block, Mapping):
        return counter.json(block, field)
    kind = block.get("type")
    if kind == "image":
        return media.image_tokens(model, block, official=official)
    if kind == "document":
        return _document(block, field, model, counter, official)
    if kind in ("container_upload", "file"):
        return media.FILE_BY_ID
    total = counter.per_part
    for key, value in block.items():
        if value is None or key in _NOT_TEXT:
            continue
        if key == "content" or isinstance(value, str):
            total += _content(value, field, model, counter, official)
        else:
            total += counter.json(value, f"{field}.{key}")
    return total


def _document(
    block: Mapping[str, Any], field: str, model: str, counter: Counter, official: bool
) -> int:
    """A document by what it comes from; title and context are text beside it."""
    source = block.get("source")
    beside = (block.get(name) for name in ("title", "context"))
    total = counter.per_part + sum(counter.text(text) for text in beside if isinstance(text, str))
    kind = source.get("type") if isinstance(source, Mapping) else None
    data = source.get("data") if isinstance(source, Mapping) else None
    if kind == "text" and isinstance(data, str):
        return total + counter.text(data)
    if kind == "content" and isinstance(source, Mapping):
        return total + _content(source.get("content"), field, model, counter, official)
    return total + media.document_tokens(data if isinstance(data, str) else "")
