"""Usage reports of Anthropic in the words of OpenAI.

Anthropic counts cached input apart from ``input_tokens``; ``prompt_tokens`` has all of it. Numbers
that are no counts go on as they are: whoever reads them flags them.
"""

from collections.abc import Mapping
from typing import Any

COUNTS = (
    *("input_tokens", "output_tokens"),
    *("cache_read_input_tokens", "cache_creation_input_tokens"),
)
_MOST = 2**53
"""Larger numbers are no counts, and sums of them no JSON."""
_SHORT, _LONG = "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"


class Report:
    """Everything a message says about its usage; reports of a stream add up to the largest."""

    def __init__(self) -> None:
        self._counts: dict[str, Any] = {}

    def add(self, usage: Any) -> None:
        """One report, whatever it is."""
        if not isinstance(usage, Mapping):
            return
        self._take(usage, COUNTS)
        self._take(usage.get("cache_creation"), (_SHORT, _LONG))
        self._take(usage.get("output_tokens_details"), ("thinking_tokens",))

    def _take(self, reported: Any, names: tuple[str, ...]) -> None:
        for name in names if isinstance(reported, Mapping) else ():
            if (count := reported.get(name)) is not None:
                count = count if isinstance(count, int | float) else str(count)[:40]
                self._counts[name] = _larger(self._counts.get(name), count)

    def prompt(self) -> dict[str, Any]:
        """The counts of the prompt, known from the first event of a stream on."""
        prompt = self._counts.get("input_tokens")
        if prompt is None:
            return {}
        read = self._counts.get("cache_read_input_tokens", 0)
        written, long = self._written()
        parts = {"cache_write_tokens": written, "cache_write_1h_tokens": long}
        return {
            "prompt_tokens": _sum(prompt, read, written, long),
            "prompt_tokens_details": {
                "cached_tokens": read,
                **{name: count for name, count in parts.items() if count != 0},
            },
        }

    def whole(self) -> dict[str, Any]:
        """All counts, as the ``usage`` of a chat completion; empty where nothing was reported."""
        usage = self.prompt()
        completion = self._counts.get("output_tokens")
        if completion is not None:
            usage["completion_tokens"] = completion
            thought = self._counts.get("thinking_tokens", 0)
            usage["completion_tokens_details"] = {"reasoning_tokens": thought}
        if completion is not None and "prompt_tokens" in usage:
            usage["total_tokens"] = _sum(usage["prompt_tokens"], completion)
        return usage

    def _written(self) -> tuple[Any, Any]:
        """Tokens written to the cache for 5 minutes and for an hour, which costs more.

        What the breakdown does not cover was written for 5 minutes, the provider's default.
        """
        short, long = self._counts.get(_SHORT, 0), self._counts.get(_LONG, 0)
        total = self._counts.get("cache_creation_input_tokens", 0)
        if not all(_is_count(count) for count in (short, long, total)):
            return next(count for count in (total, short, long) if not _is_count(count)), 0
        return max(total - long, short), long


def _is_count(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and 0 <= value <= _MOST


def _larger(first: Any, second: Any) -> Any:
    """The larger one; one that is no count stays, to be seen."""
    if first is None or not _is_count(second):
        return second
    return first if not _is_count(first) else max(first, second)


def _sum(*counts: Any) -> Any:
    """The sum, or the first that is no count."""
    for count in counts:
        if not _is_count(count):
            return count
    return sum(counts)
