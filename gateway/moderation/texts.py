"""What of a request a moderation can read: every text that may reach the model."""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.moderation import media
from gateway.moderation.words import PROTOCOL

Named = tuple[str, str]
"""A text and the name it stands under; names themselves stand under none."""

MAX_CHARACTERS = 8_000
"""Longer texts are shown in pieces."""
OVERLAP = 200
"""Characters a piece repeats, so that nothing hides in a cut."""

UNREAD = frozenset(
    (
        *("model", "user", "metadata", "safety_identifier", "prompt_cache_key", "service_tier"),
        *("prompt_cache_retention", "stream_options", "logit_bias", "stop", "stop_sequences"),
        *("include", "modalities", "encoding_format", "reasoning_effort", "truncation"),
        *("previous_response_id", "verbosity"),
    )
)
"""Fields no model reads. All others are shown, also those nobody knows."""
_TURNS = ("messages", "input", "prompt")
"""Fields whose items are read one after the other."""
_NAMING = frozenset(
    ("type", "role", "media_type", "format", "tool_choice", "detail", "effort", "status")
)
"""Where words of the protocols stand as values."""
_BLOCKS = frozenset(
    (
        *("messages", "input", "system", "content", "output", "source"),
        *("image_url", "input_audio", "file", "prediction"),
    )
)
"""Names on the way to a file. Elsewhere (arguments of tools, schemas) its bytes are text."""
_SPOKEN = frozenset(("system", "content", "text", "data", "output"))
"""What the parts of a message say is under these names."""


class Unreadable(ValueError):
    """A prompt that is no text: token numbers."""


def texts_of(request: Mapping[str, Any]) -> list[str]:
    """All texts in order, in pieces; raises ``Unreadable`` for prompts of token numbers.

    Names in objects are texts too, but for those of the protocols. What one message says is one
    text; with several parts it is shown once more, run together: nothing hides between two parts.
    Images, audio and PDFs are not looked at, other files are shown as text.
    """
    found: list[str] = []
    for name, value in request.items():
        if name in UNREAD:
            continue
        if name in ("input", "prompt") and _has_token_numbers(value):
            raise Unreadable(f"{name} is a list of token numbers")
        for texts in _messages(name, value):
            found.extend(_pieces("\n".join(text for _, text in texts)))
            spoken = [text for place, text in texts if place in _SPOKEN]
            if len(spoken) > 1:
                found.extend(_pieces("".join(spoken)))
    return found


def _has_token_numbers(value: Any) -> bool:
    if not isinstance(value, list):
        return False
    return any(
        isinstance(item, int) or (isinstance(item, list) and _has_token_numbers(item))
        for item in value
    )


def _messages(name: str, value: Any) -> Iterator[list[Named]]:
    """The texts of a field of the request, those of one message together."""
    items = value if name in _TURNS and isinstance(value, list) else [value]
    for item in items:
        texts = list(_under(name, item, {}, in_blocks=True))
        if texts:
            yield texts


def _under(
    name: str, value: Any, siblings: Mapping[str, Any], *, in_blocks: bool
) -> Iterator[Named]:
    """The texts of what ``name`` names. ``in_blocks``: all names on the way are ``_BLOCKS``."""
    if isinstance(value, str):
        word = name in _NAMING and value in PROTOCOL
        text = media.readable(name, value, siblings) if in_blocks else value
        if text.strip() and not word:
            yield name, text
        return
    # A block's own ``input`` is what its tool is called with.
    below = in_blocks and name in _BLOCKS and not (name == "input" and siblings)
    for item in value if isinstance(value, list) else (value,):
        if isinstance(item, Mapping):
            for key, part in item.items():
                if key.strip() and key not in PROTOCOL:
                    yield "", key
                yield from _under(key, part, item, in_blocks=below)
        elif isinstance(item, list | str):
            yield from _under(name, item, siblings, in_blocks=below)


def _pieces(text: str) -> Iterator[str]:
    step = MAX_CHARACTERS - OVERLAP
    for begin in range(0, max(1, len(text) - OVERLAP), step):
        yield text[begin : begin + MAX_CHARACTERS]
