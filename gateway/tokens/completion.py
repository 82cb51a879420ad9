"""How many tokens an answer can have at most, and what must be sent upstream to keep it so."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.tokens.errors import InvalidRequest

MAX_TOKENS = 10_000_000
MAX_CHOICES = 128

STANDARD = ("max_completion_tokens", "max_tokens")
# Servers that speak the OpenAI API know more names; some put them before the standard ones
# (llama.cpp obeys n_predict against max_tokens), so the largest of all that are given counts.
ALIASES = (
    *("n_predict", "num_predict", "max_new_tokens", "max_output_tokens"),
    *("max_tokens_to_sample", "min_tokens"),
)
CHOICES = ("n", "n_cmpl", "best_of", "num_return_sequences")
_REASONING = ("o1", "o3", "o4", "gpt-5", "gpt-6")


@dataclass(frozen=True, slots=True)
class Bound:
    """At most ``per_choice`` tokens in each of ``choices`` answers, once ``add`` is sent too."""

    per_choice: int
    choices: int
    add: dict[str, int]


def bound(
    request: Mapping[str, Any],
    model: str,
    *,
    default_max_output_tokens: int,
    model_output_limit: int | None,
) -> Bound:
    """The bound of a chat request; raises ``InvalidRequest`` for limits that are no limits."""
    choices = max([1, *_given(request, CHOICES, MAX_CHOICES)])
    standard = _given(request, STANDARD, MAX_TOKENS)
    given = standard + _given(request, ALIASES, MAX_TOKENS)
    limit = model_output_limit or default_max_output_tokens
    per_choice = max(given, default=min(limit, default_max_output_tokens))
    add = {} if standard else {_field(model): per_choice}
    return Bound(per_choice, choices, add)


def _given(request: Mapping[str, Any], names: tuple[str, ...], most: int) -> list[int]:
    return [_whole(request[name], name, most) for name in names if request.get(name) is not None]


def _whole(value: Any, field: str, most: int) -> int:
    if type(value) is not int or not 1 <= value <= most:
        raise InvalidRequest(field, f"must be a whole number from 1 to {most}")
    return value


def _field(model: str) -> str:
    """Reasoning models refuse ``max_tokens``; everything else understands it."""
    name = model.lower().removeprefix("ft:")
    return "max_completion_tokens" if name.startswith(_REASONING) else "max_tokens"
