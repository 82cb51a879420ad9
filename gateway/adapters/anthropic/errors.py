"""Errors of Anthropic in the shape of OpenAI's."""

from collections.abc import Mapping
from typing import Any

import orjson

_CODES = (
    ("billing_error", "", "insufficient_quota"),
    ("invalid_request_error", "Your credit balance is too low", "insufficient_quota"),
    ("invalid_request_error", "prompt is too long", "context_length_exceeded"),
    ("not_found_error", "model:", "model_not_found"),
    ("authentication_error", "", "invalid_api_key"),
    ("rate_limit_error", "", "rate_limit_exceeded"),
)
"""Type of the error, beginning of its message, and the code OpenAI's clients know for it."""


def body(raw: bytes) -> bytes:
    """An error body as OpenAI would write it; one without an error in it stays as it is."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return raw
    found = isinstance(value, dict) and isinstance(value.get("error"), dict)
    return orjson.dumps(shaped(value)) if found else raw


def shaped(value: Mapping[str, Any]) -> dict[str, Any]:
    """``{"error": {"message", "type", "param", "code"}}``, with the provider's request id."""
    error: Mapping[str, Any] = value["error"] if isinstance(value.get("error"), Mapping) else {}
    kind, message = _text(error.get("type")) or "api_error", _text(error.get("message"))
    answer: dict[str, Any] = {
        "error": {
            "message": message,
            "type": kind,
            "param": None,
            "code": _text(error.get("code")) or _code(kind, message),
        }
    }
    if number := _text(value.get("request_id")):
        answer["request_id"] = number
    return answer


def _code(kind: str, message: str) -> str:
    for known, beginning, code in _CODES:
        if kind == known and message.startswith(beginning):
            return code
    return kind


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
