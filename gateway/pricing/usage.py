"""How many tokens of which class a provider says a call took."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

MAX_TOKENS = 10_000_000
"""No call takes more: ten times the widest context window that is sold. More is absurd."""

CLAMPED = "usage_clamped"
ESTIMATED = "usage_estimated"
CONFLICTING = "usage_conflicting"
PROMPT_MISSING = "prompt_tokens_missing"
COMPLETION_MISSING = "completion_tokens_missing"
PRICED_TIERS = ("", "auto", "default", "standard")
MAX_TIER = 40
MISSING = frozenset({PROMPT_MISSING, COMPLETION_MISSING})

INPUT_PARTS = (
    *("cached_tokens", "cache_write_tokens", "cache_write_1h_tokens"),
    *("audio_input_tokens", "image_input_tokens"),
)
OUTPUT_PARTS = ("reasoning_tokens", "audio_output_tokens")

Flags = frozenset[str]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call by class, all of them 0 or more.

    ``prompt_tokens`` includes cached, cache-write, audio and image input; ``completion_tokens``
    includes reasoning and audio output. The parts never add up to more than their whole.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    audio_input_tokens: int = 0
    image_input_tokens: int = 0
    reasoning_tokens: int = 0
    audio_output_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Prompt and completion."""
        return self.prompt_tokens + self.completion_tokens

    def by_class(self) -> dict[str, int]:
        """What an event records: the two totals and every class that occurred."""
        parts = {name: getattr(self, name) for name in self.__slots__}
        kept = {name: count for name, count in parts.items() if count}
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.total_tokens,
        } | kept

    @classmethod
    def from_openai(cls, reported: Any) -> tuple["Usage", Flags]:
        """The usage in an OpenAI ``usage`` object (chat or responses), and what is odd about it.

        Never raises. Flags: ``prompt_tokens_missing`` and ``completion_tokens_missing`` where
        nothing was reported (a reported zero is a zero); ``usage_clamped`` where a number was
        negative, absurd, no number, or larger than its whole, and was brought into range.
        """
        reading = _Reading(reported if isinstance(reported, Mapping) else {})
        prompt = reading.first("prompt_tokens", "input_tokens")
        completion = reading.first("completion_tokens", "output_tokens")
        prompt, completion = reading.by_total(prompt, completion)
        if prompt is None:
            reading.flags.add(PROMPT_MISSING)
        if completion is None:
            reading.flags.add(COMPLETION_MISSING)
        usage = cls(
            prompt_tokens=prompt or 0,
            completion_tokens=completion or 0,
            **reading.input_parts(prompt or 0),
            **reading.output_parts(completion or 0),
        )
        return usage, frozenset(reading.flags)

    @classmethod
    def from_anthropic(cls, reported: Any) -> tuple["Usage", Flags]:
        """The usage in an Anthropic ``usage`` object, and what is odd about it; as ``from_openai``.

        ``input_tokens`` leaves out what was read from and written to the cache, ``prompt_tokens``
        has it all. Writes of unknown duration count as those of 5 minutes.
        """
        reading = _Reading(reported if isinstance(reported, Mapping) else {})
        plain = reading.first("input_tokens")
        cached = reading.first("cache_read_input_tokens")
        written, long_written = reading.cache_writes()
        completion = reading.first("output_tokens")
        if plain is None and cached is None and written is None:
            reading.flags.add(PROMPT_MISSING)
        if completion is None:
            reading.flags.add(COMPLETION_MISSING)
        prompt = (plain or 0) + (cached or 0) + (written or 0)
        usage = cls(
            prompt_tokens=prompt,
            completion_tokens=completion or 0,
            cached_tokens=cached or 0,
            cache_write_tokens=(written or 0) - long_written,
            cache_write_1h_tokens=long_written,
            **reading.output_parts(completion or 0),
        )
        if prompt > MAX_TOKENS:
            reading.flags.add(CLAMPED)
            usage = usage.at_most(prompt=MAX_TOKENS, completion=MAX_TOKENS)
        return usage, frozenset(reading.flags)

    def completed(
        self, flags: Flags, *, prompt: Callable[[], int], completion: Callable[[], int]
    ) -> tuple["Usage", Flags]:
        """Fill what was missing by counting, which happens only then, and flag it as estimated.

        A completion of 0 is counted too: a report that came before the text knows nothing of it.
        """
        filled, estimated = self, bool(flags & MISSING)
        if PROMPT_MISSING in flags:
            filled = replace(filled, prompt_tokens=prompt())
        if self.completion_tokens == 0 and (counted := completion()):
            filled, estimated = replace(filled, completion_tokens=counted), True
        return filled, flags - MISSING | ({ESTIMATED} if estimated else set())

    def at_most(self, *, prompt: int, completion: int) -> "Usage":
        """The same with neither whole above its bound, and no part above its whole."""
        counts = {name: getattr(self, name) for name in self.__slots__}
        counts["prompt_tokens"] = min(self.prompt_tokens, prompt)
        counts["completion_tokens"] = min(self.completion_tokens, completion)
        for whole, parts in (("prompt_tokens", INPUT_PARTS), ("completion_tokens", OUTPUT_PARTS)):
            rest = counts[whole]
            for part in parts:
                counts[part] = min(counts[part], rest)
                rest -= counts[part]
        return Usage(**counts)


Reading = tuple[Usage, Flags]


def at_tier(reading: Reading, tier: Any) -> Reading:
    """Flagged ``service_tier:<name>`` where the call ran at another tier than prices are for."""
    if not isinstance(tier, str) or tier in PRICED_TIERS or not tier.isprintable():
        return reading
    usage, flags = reading
    return usage, flags | {f"service_tier:{tier[:MAX_TIER]}"}


def merged(first: Reading | None, second: Reading) -> Reading:
    """Two reports of one call, in the order they came: the larger count of every class.

    Flagged as conflicting where the later one takes back what the earlier one said.
    """
    if first is None:
        return second
    (before, old), (after, new) = first, second
    largest = {name: max(getattr(before, name), getattr(after, name)) for name in Usage.__slots__}
    flags = ((old | new) - MISSING) | (old & new & MISSING)
    less_prompt = PROMPT_MISSING not in new and after.prompt_tokens < before.prompt_tokens
    less_text = COMPLETION_MISSING not in new and after.completion_tokens < before.completion_tokens
    if less_prompt or less_text:
        flags |= {CONFLICTING}
    usage = Usage(**largest)
    return usage.at_most(prompt=usage.prompt_tokens, completion=usage.completion_tokens), flags


class _Reading:
    """Numbers out of a mapping nobody vouches for."""

    def __init__(self, reported: Mapping[str, Any]) -> None:
        self.reported = reported
        self.flags: set[str] = set()

    def first(self, *names: str) -> int | None:
        """The count under the first of ``names`` that is there."""
        return self._count(self.reported, *names)

    def by_total(self, prompt: int | None, completion: int | None) -> tuple[int | None, int | None]:
        """Where one of the two is missing and the total is not, the other follows from it."""
        total = self.first("total_tokens")
        if total is not None and prompt is None and completion is not None:
            return max(0, total - completion), completion
        if total is not None and completion is None and prompt is not None:
            return prompt, max(0, total - prompt)
        return prompt, completion

    def input_parts(self, whole: int) -> dict[str, int]:
        """Classes inside the prompt; what does not fit into ``whole`` is cut off."""
        details = self._details("prompt_tokens_details", "input_tokens_details")
        wanted = {
            "cached_tokens": ("cached_tokens",),
            "cache_write_tokens": ("cache_write_tokens", "cache_creation_tokens"),
            "cache_write_1h_tokens": ("cache_write_1h_tokens",),
            "audio_input_tokens": ("audio_tokens",),
            "image_input_tokens": ("image_tokens",),
        }
        return self._parts(details, wanted, whole)

    def output_parts(self, whole: int) -> dict[str, int]:
        """Classes inside the completion; what does not fit into ``whole`` is cut off."""
        details = self._details("completion_tokens_details", "output_tokens_details")
        wanted = {
            "reasoning_tokens": ("reasoning_tokens", "thinking_tokens"),
            "audio_output_tokens": ("audio_tokens",),
        }
        return self._parts(details, wanted, whole)

    def cache_writes(self) -> tuple[int | None, int]:
        """All tokens that Anthropic wrote to its cache, None for no word of it; those for an hour.

        The larger of the total and the sum of its kinds: a report that contradicts itself is no
        discount.
        """
        total = self.first("cache_creation_input_tokens")
        kinds = self._details("cache_creation")
        short = self._count(kinds, "ephemeral_5m_input_tokens")
        long = self._count(kinds, "ephemeral_1h_input_tokens")
        if total is None and short is None and long is None:
            return None, 0
        parts = (short or 0) + (long or 0)
        if total is not None and parts > total:
            self.flags.add(CLAMPED)
        return max(total or 0, parts), long or 0

    def _parts(
        self, details: Mapping[str, Any], wanted: Mapping[str, tuple[str, ...]], whole: int
    ) -> dict[str, int]:
        parts = {}
        rest = whole
        for part, names in wanted.items():
            count = self._count(details, *names) or 0
            if count > whole:
                self.flags.add(CLAMPED)
            # Classes may overlap (cached audio): a token counts once, in the class named first.
            parts[part] = min(count, rest)
            rest -= parts[part]
        return parts

    def _details(self, *names: str) -> Mapping[str, Any]:
        for name in names:
            if isinstance(found := self.reported.get(name), Mapping):
                return found
        return {}

    def _count(self, mapping: Mapping[str, Any], *names: str) -> int | None:
        for name in names:
            if mapping.get(name) is not None:
                return self._in_range(mapping[name])
        return None

    def _in_range(self, value: Any) -> int | None:
        """``value`` as a count; None where it is no number at all, as if it had not been there."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not _whole(value):
            self.flags.add(CLAMPED)
            return None
        count = min(max(0, int(value)), MAX_TOKENS)
        if count != value:
            self.flags.add(CLAMPED)
        return count


def _whole(value: int | float) -> bool:
    return isinstance(value, int) or (math.isfinite(value) and value.is_integer())
