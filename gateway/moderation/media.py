"""Pictures, sounds and PDFs, which no moderation of texts can read, and files that are text."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

_MEDIA = re.compile(r"(?:image|audio)/[a-z0-9.+-]{1,60}|application/pdf", re.IGNORECASE)
_SOUNDS = frozenset(("wav", "mp3", "flac", "opus", "aac", "ogg", "m4a", "webm", "pcm16"))
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")
_DATA_URL = re.compile(r"data:([^,;\s]{0,100})(?:;[^,;\s]{1,100}){0,4};base64,", re.IGNORECASE)
_LINKS = frozenset(("url", "image_url", "file_data"))
_SEALED = frozenset(
    (
        *(("reasoning", "encrypted_content"), ("compaction", "encrypted_content")),
        *(("thinking", "signature"), ("redacted_thinking", "data")),
        *(("web_search_result", "encrypted_content"), ("image_generation_call", "result")),
    )
)
"""(type, field) of what only its provider can open, and of its pictures."""


def readable(name: str, value: str, siblings: Mapping[str, Any]) -> str:
    """The text of field ``name`` of a block: empty where its bytes are a picture, a sound, a PDF or
    sealed, what stands in it where it is another file, ``value`` itself where it is no file.
    """
    if (siblings.get("type"), name) in _SEALED and _BASE64.fullmatch(value):
        return ""
    kind, data = _contents(name, value, siblings)
    if kind is None or not _BASE64.fullmatch(data):
        return value
    return "" if _MEDIA.fullmatch(kind) else _decoded(data)


def _contents(name: str, value: str, siblings: Mapping[str, Any]) -> tuple[str | None, str]:
    """(media type, base64) of a file; None where it is none."""
    if name in _LINKS:
        link = _DATA_URL.match(value)
        return (link[1], value[link.end() :]) if link else (None, value)
    if name == "data" and siblings.get("type") == "base64":
        return str(siblings.get("media_type")), value
    if name == "data" and "type" not in siblings and siblings.get("format") in _SOUNDS:
        return f"audio/{siblings['format']}", value
    return None, value


def _decoded(data: str) -> str:
    padded = data.rstrip("=").translate({ord("-"): "+", ord("_"): "/"})
    try:
        content = base64.b64decode(padded + "=" * (-len(padded) % 4))
    except binascii.Error:
        return data
    return content.decode("utf-8", "replace")
