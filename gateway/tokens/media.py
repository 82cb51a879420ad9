"""Bounds for parts of a message that are not text."""

from collections.abc import Mapping
from typing import Any

UNKNOWN_IMAGE = 25_000
FILE_BY_ID = 200_000
BYTES_PER_AUDIO_TOKEN = 50
"""Speech is at most about 12 tokens a second and hardly ever coded below 6 kbit/s."""

# Most tokens one image can come to (high detail, largest size), by the provider's published rules:
# tiles of 512 pixels (8 at most after scaling) or patches (1,536 at most, times a factor).
_IMAGES = (
    ("gpt-4o-mini", 48_169, 2_833),
    ("gpt-4.1-mini", 4_000, 4_000),
    ("gpt-4.1-nano", 4_000, 4_000),
    ("o4-mini", 4_000, 4_000),
    ("gpt-4o", 1_445, 85),
    ("gpt-4.1", 1_445, 85),
    ("gpt-4-turbo", 1_445, 85),
    ("o1", 1_445, 85),
    ("o3", 1_445, 85),
    ("claude", 5_000, 5_000),
)


def image_tokens(model: str, part: Mapping[str, Any], *, official: bool) -> int:
    """The most that one image part can take; the picture itself is never decoded."""
    if not official:
        return UNKNOWN_IMAGE
    name = model.lower().removeprefix("ft:")
    for prefix, high, low in _IMAGES:
        if name.startswith(prefix):
            return low if _detail(part) == "low" else high
    return UNKNOWN_IMAGE


def _detail(part: Mapping[str, Any]) -> Any:
    image = part.get("image_url")
    return image.get("detail") if isinstance(image, Mapping) else part.get("detail")


def audio_tokens(part: Mapping[str, Any]) -> int:
    """The most that the base64 audio of a part can take."""
    audio = part.get("input_audio")
    data = audio.get("data") if isinstance(audio, Mapping) else None
    decoded = len(data) * 3 // 4 if isinstance(data, str) else 0
    return 64 + decoded // BYTES_PER_AUDIO_TOKEN


def file_tokens(part: Mapping[str, Any]) -> int:
    """The most that a file part can take, sent along or stored at the provider."""
    file = part.get("file", part)
    data = file.get("file_data") if isinstance(file, Mapping) else None
    return 64 + document_tokens(data) if isinstance(data, str) else FILE_BY_ID


def document_tokens(data: str) -> int:
    """The most that a document in base64 can take: its pages are read as text and as pictures.

    Compressed pages may be a few bytes long, so a small one is bounded like one that is stored.
    """
    return max(FILE_BY_ID, len(data))
