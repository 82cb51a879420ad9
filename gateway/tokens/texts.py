"""Bounds of requests whose prompt is a bare text, a list of texts, or tokens already."""

from collections.abc import Mapping
from typing import Any

from gateway.tokens import counters
from gateway.tokens.completion import COMPLETIONS, bound
from gateway.tokens.counters import Counter
from gateway.tokens.errors import InvalidRequest
from gateway.tokens.estimate import Estimate
from gateway.tokens.features import billable_features
from gateway.tokens.media import UNKNOWN_IMAGE
from gateway.tokens.prompt import extras

DEFAULT_COMPLETION = 16
"""Tokens that the completions API writes for a client that gave no ``max_tokens``."""
MAX_INPUTS = 4_096

_NOT_PROMPT = frozenset(("model", "prompt", "input", "user", "metadata", "stop", "stream_options"))
_NOT_PROMPT |= frozenset(("logit_bias", "encoding_format", "truncate_prompt_tokens"))


def completion_estimate(
    request: Mapping[str, Any],
    model: str,
    *,
    default_max_output_tokens: int,
    official: bool = False,
) -> Estimate:
    """Bounds of a text completion: every prompt is answered ``n`` (or ``best_of``) times.

    Raises ``InvalidRequest`` naming the field.
    """
    counter = counters.bounding(model, official=official)
    prompt, prompts = _prompt(request, counter)
    completion = bound(
        request,
        model,
        default_max_output_tokens=min(DEFAULT_COMPLETION, default_max_output_tokens),
        names=COMPLETIONS,
    )
    choices = completion.choices * prompts
    return Estimate(
        prompt_tokens=prompt,
        completion_tokens=completion.per_choice * choices,
        choices=choices,
        method=counter.method,
        add=completion.add,
        features=billable_features(request),
    )


def embedding_estimate(
    request: Mapping[str, Any],
    model: str,
    *,
    default_max_output_tokens: int,
    official: bool = False,
) -> Estimate:
    """Bounds of an embedding: tokens of every input, none of output; raises ``InvalidRequest``."""
    counter = counters.bounding(model, official=official)
    return Estimate(
        prompt_tokens=_inputs(request, counter),
        completion_tokens=0,
        choices=1,
        method=counter.method,
        features=billable_features(request),
    )


def moderation_estimate(
    request: Mapping[str, Any],
    model: str,
    *,
    default_max_output_tokens: int,
    official: bool = False,
) -> Estimate:
    """Bounds of a moderation; the model that was priced is sent where the client named none."""
    counter = counters.BYTES
    return Estimate(
        prompt_tokens=_inputs(request, counter),
        completion_tokens=0,
        choices=1,
        method=counter.method,
        add={} if request.get("model") is not None else {"model": model},
        features=billable_features(request),
    )


def count_completion_prompt(request: Mapping[str, Any], model: str) -> int:
    """Prompt tokens of a text completion as near to the truth as is known."""
    return _prompt(request, counters.likely(model))[0]


def count_inputs(request: Mapping[str, Any], model: str) -> int:
    """Tokens of ``input`` as near to the truth as is known."""
    return _inputs(request, counters.likely(model))


def _prompt(request: Mapping[str, Any], counter: Counter) -> tuple[int, int]:
    """Tokens of all prompts, and how many prompts there are; none at all is an empty one."""
    value = request.get("prompt")
    tokens, prompts = _texts("" if value is None else value, "prompt", counter)
    return counter.per_request + tokens + extras(request, counter, _NOT_PROMPT), prompts


def _inputs(request: Mapping[str, Any], counter: Counter) -> int:
    if request.get("input") is None:
        raise InvalidRequest("input", "must be a text or a list")
    tokens, _ = _texts(request["input"], "input", counter)
    return counter.per_request + tokens + extras(request, counter, _NOT_PROMPT)


def _texts(value: Any, field: str, counter: Counter) -> tuple[int, int]:
    """Tokens in a text, a list of texts, a list of tokens or a list of such lists; their number."""
    if isinstance(value, str):
        return counter.per_message + counter.text(value), 1
    if not isinstance(value, list) or not value:
        raise InvalidRequest(field, "must be a text, a list of texts, or a list of tokens")
    if _are_tokens(value):
        return counter.per_message + len(value), 1
    if len(value) > MAX_INPUTS:
        raise InvalidRequest(field, f"must have at most {MAX_INPUTS} entries")
    entries = (_entry(entry, f"{field}.{index}", counter) for index, entry in enumerate(value))
    return sum(entries), len(value)


def _entry(value: Any, field: str, counter: Counter) -> int:
    if isinstance(value, str):
        return counter.per_message + counter.text(value)
    if isinstance(value, list) and value and _are_tokens(value):
        return counter.per_message + len(value)
    if isinstance(value, Mapping) and isinstance(value.get("text"), str):
        return counter.per_message + counter.text(value["text"])
    if isinstance(value, Mapping) and value.get("type") == "image_url":
        return UNKNOWN_IMAGE
    raise InvalidRequest(field, "must be a text or a list of tokens")


def _are_tokens(value: list[Any]) -> bool:
    return all(type(token) is int for token in value)
