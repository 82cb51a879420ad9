"""What routes have in common whose answers have no text and are never streamed."""

from collections.abc import Mapping
from typing import Any

from gateway.pricing.usage import Reading, Usage
from gateway.proxy.route import Request


def no_text(answer: Mapping[str, Any]) -> str:
    """Nothing of the answer is counted."""
    return ""


def no_changes(request: Request) -> dict[str, Any]:
    """Nothing is added upstream."""
    return {}


def prompt_usage(answer: Mapping[str, Any]) -> Reading:
    """The tokens that were read; none are written, whatever is reported of it."""
    usage = answer.get("usage")
    reported = dict(usage) if isinstance(usage, Mapping) else {}
    for name in ("completion_tokens", "output_tokens"):
        reported[name] = 0
    return Usage.from_openai(reported)
