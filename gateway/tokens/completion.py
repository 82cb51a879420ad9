"""How many tokens an answer can have at most, and what must be sent upstream to keep it so."""

from collections.abc import Callable, Mapping
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
CHOICES = ("n", "n_cmpl", "best_of", "num_return_sequences", "beam_width", "num_beams")
"""Beams are written beside each other, whatever few of them are answered."""
_REASONING = ("o1", "o3", "o4", "gpt-5", "gpt-6")


@dataclass(frozen=True, slots=True)
class Names:
    """How a route calls its bound: ``standard`` are its own names, ``aliases`` those of others.

    ``field`` names the one that is sent where none was given; ``least`` is the lowest that is one.
    """

    standard: tuple[str, ...]
    aliases: tuple[str, ...]
    field: Callable[[str], str]
    least: int = 1


@dataclass(frozen=True, slots=True)
class Bound:
    """At most ``per_choice`` tokens in each of ``choices`` answers, once ``add`` is sent too."""

    per_choice: int
    choices: int
    add: dict[str, int]


def _chat_field(model: str) -> str:
    """Reasoning models refuse ``max_tokens``; everything else understands it."""
    name = model.lower().removeprefix("ft:")
    return "max_completion_tokens" if name.startswith(_REASONING) else "max_tokens"


def _others(*own: str) -> tuple[str, ...]:
    return tuple(name for name in (*STANDARD, *ALIASES) if name not in own)


CHAT = Names(STANDARD, ALIASES, _chat_field)
COMPLETIONS = Names(("max_tokens",), _others("max_tokens"), lambda _: "max_tokens")
RESPONSES = Names(
    ("max_output_tokens",), _others("max_output_tokens"), lambda _: "max_output_tokens"
)
MESSAGES = Names(("max_tokens",), _others("max_tokens"), lambda _: "max_tokens", least=0)
"""Anthropic's ``max_tokens: 0`` fills the prompt cache and writes nothing."""


def bound(
    request: Mapping[str, Any],
    model: str,
    *,
    default_max_output_tokens: int,
    model_output_limit: int | None = None,
    names: Names = CHAT,
) -> Bound:
    """The bound of a request; raises ``InvalidRequest`` for limits that are no limits."""
    choices = max([1, *_given(request, CHOICES, 1, MAX_CHOICES)])
    standard = _given(request, names.standard, names.least, MAX_TOKENS)
    given = standard + _given(request, names.aliases, 1, MAX_TOKENS)
    limit = model_output_limit or default_max_output_tokens
    per_choice = max(given, default=min(limit, default_max_output_tokens))
    add = {} if standard else {names.field(model): per_choice}
    return Bound(per_choice, choices, add)


def _given(request: Mapping[str, Any], names: tuple[str, ...], least: int, most: int) -> list[int]:
    found = ((name, request.get(name)) for name in names)
    return [_whole(value, name, least, most) for name, value in found if value is not None]


def _whole(value: Any, field: str, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise InvalidRequest(field, f"must be a whole number from {least} to {most}")
    return value
