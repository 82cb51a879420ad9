"""The lines of a receipt: which tokens paid which price, so that a person can add them up."""

from dataclasses import dataclass
from typing import Any

from gateway.pricing.rates import PER, Band, Rates
from gateway.pricing.usage import INPUT_PARTS, OUTPUT_PARTS, Usage

_CLASSES = {
    "cached_tokens": "cached_input",
    "cache_write_tokens": "cache_write",
    "cache_write_1h_tokens": "cache_write_1h",
    "audio_input_tokens": "audio_input",
    "image_input_tokens": "image_input",
    "reasoning_tokens": "reasoning",
    "audio_output_tokens": "audio_output",
}
_INSTEAD = {"cache_write_1h": "cache_write"}

Stored = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Line:
    """Tokens of one class and their rate (nano-dollars per 1,000,000 tokens)."""

    name: str
    tokens: int
    rate: int

    @property
    def cost(self) -> int:
        """Nano-dollars times 1,000,000: exact, not rounded."""
        return self.tokens * self.rate


def of(usage: Usage, rates: Rates) -> list[Stored]:
    """What ``usage`` pays, class by class, in the context tier of its prompt.

    The costs of all lines add up to ``Band.cost``.
    """
    band = rates.band(usage.prompt_tokens)
    found: list[Stored] = []
    for whole, name, parts in (
        (usage.prompt_tokens, "input", INPUT_PARTS),
        (usage.completion_tokens, "output", OUTPUT_PARTS),
    ):
        own: list[Stored] = []
        rest = whole
        for part in parts:
            tokens = getattr(usage, part)
            if tokens:
                own.append((_CLASSES[part], tokens, _rate(band, _CLASSES[part], name)))
                rest -= tokens
        if rest:
            found.append((name, rest, getattr(band, name)))
        found += own
    return found


def _rate(band: Band, name: str, whole: str) -> int:
    """The rate of a class, or of what it is priced as where it has none of its own."""
    rate: int | None = getattr(band, name)
    if rate is None and name in _INSTEAD:
        rate = getattr(band, _INSTEAD[name])
    return getattr(band, whole) if rate is None else rate


def read(stored: Any) -> list[Line]:
    """Lines as an event keeps them."""
    return [Line(name, tokens, rate) for name, tokens, rate in stored or ()]


def total(lines: list[Line]) -> int:
    """Nano-dollars of all lines, rounded up once to a whole one."""
    return -(-sum(line.cost for line in lines) // PER)
