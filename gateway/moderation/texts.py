"""What of a request a moderation can read: every text that may reach the model."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

MAX_CHARACTERS = 8_000
"""Longer texts are shown in pieces."""
OVERLAP = 200
"""Characters a piece repeats, so that nothing hides in a cut."""
MAX_DEPTH = 130

FIELDS = (
    *("system", "instructions", "messages", "input", "prompt", "suffix", "prediction"),
    *("tools", "functions", "documents", "response_format", "text", "output_config"),
)
"""Fields of all routes that the model reads."""
_BLOB = re.compile(r"(?:data:[^,\s]{0,200},)?[A-Za-z0-9+/_-]{256,}={0,2}")
"""Bytes of images, sounds and files, encrypted reasoning: no text to the model."""
_BLOBS = frozenset(
    ("url", "image_url", "data", "file_data", "encrypted_content", "signature", "result")
)
"""Where bytes are written."""
_WORDS = frozenset(("role", "type", "id", "tool_call_id", "call_id", "tool_use_id"))
"""Names rather than texts, as long as they are one word."""


class Unreadable(ValueError):
    """A prompt that is no text: token numbers."""


def texts_of(request: Mapping[str, Any]) -> list[str]:
    """All texts in order, in pieces; raises ``Unreadable`` for prompts of token numbers.

    Images, audio and files are not looked at.
    """
    found: list[str] = []
    for name in FIELDS:
        value = request.get(name)
        if name in ("input", "prompt") and _has_token_numbers(value):
            raise Unreadable(f"{name} is a list of token numbers")
        for text in _strings(value, MAX_DEPTH):
            found.extend(_pieces(text))
    return found


def _has_token_numbers(value: Any) -> bool:
    if not isinstance(value, list):
        return False
    return any(
        isinstance(item, int) or (isinstance(item, list) and _has_token_numbers(item))
        for item in value
    )


def _strings(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        if value.strip():
            yield value
    elif depth and isinstance(value, list):
        for item in value:
            yield from _strings(item, depth - 1)
    elif depth and isinstance(value, Mapping):
        for name, item in value.items():
            if not (_is_word(name, item) or _is_blob(name, item)):
                yield from _strings(item, depth - 1)


def _is_word(name: Any, value: Any) -> bool:
    return name in _WORDS and isinstance(value, str) and len(value.split()) == 1


def _is_blob(name: Any, value: Any) -> bool:
    return name in _BLOBS and isinstance(value, str) and _BLOB.fullmatch(value) is not None


def _pieces(text: str) -> Iterator[str]:
    step = MAX_CHARACTERS - OVERLAP
    for begin in range(0, max(1, len(text) - OVERLAP), step):
        yield text[begin : begin + MAX_CHARACTERS]
