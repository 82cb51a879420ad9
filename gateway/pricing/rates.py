"""What a model costs per token class, and what a call comes to.

Unit of a rate: whole nano-dollars per 1,000,000 tokens (see ``gateway.models.price``). Costs are
whole nano-dollars, rounded up once, at the end.
"""

from dataclasses import dataclass, field
from functools import cached_property

from gateway.pricing.usage import Usage

PER = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """The rate of every token class. None: not priced apart, the rate named beside it holds."""

    input: int
    output: int
    cached_input: int | None = None  # input
    cache_write: int | None = None  # input
    cache_write_1h: int | None = None  # cache_write
    reasoning: int | None = None  # output
    audio_input: int | None = None  # input; ask `prices_audio` first
    audio_output: int | None = None  # output; ask `prices_audio` first
    image_input: int | None = None  # input
    image_output: int | None = None  # output

    def dearest_input(self, *, audio: bool) -> int:
        """The highest rate a prompt token can come to."""
        rates = [self.input, self.cached_input, self.cache_write, self.cache_write_1h]
        rates += [self.image_input, self.audio_input if audio else None]
        return max(rate for rate in rates if rate is not None)

    def dearest_output(self, *, audio: bool) -> int:
        """The highest rate a completion token can come to."""
        rates = [self.output, self.reasoning, self.image_output]
        rates += [self.audio_output if audio else None]
        return max(rate for rate in rates if rate is not None)

    def cost(self, usage: Usage) -> int:
        """Nano-dollars of ``usage`` times 1,000,000, not rounded."""
        cached_input = self.input if self.cached_input is None else self.cached_input
        cache_write = self.input if self.cache_write is None else self.cache_write
        long_write = cache_write if self.cache_write_1h is None else self.cache_write_1h
        reasoning = self.output if self.reasoning is None else self.reasoning
        audio_in = self.input if self.audio_input is None else self.audio_input
        audio_out = self.output if self.audio_output is None else self.audio_output
        image_in = self.input if self.image_input is None else self.image_input
        parts = (
            (usage.cached_tokens, cached_input, self.input),
            (usage.cache_write_tokens, cache_write, self.input),
            (usage.cache_write_1h_tokens, long_write, self.input),
            (usage.audio_input_tokens, audio_in, self.input),
            (usage.image_input_tokens, image_in, self.input),
            (usage.reasoning_tokens, reasoning, self.output),
            (usage.audio_output_tokens, audio_out, self.output),
        )
        plain = usage.prompt_tokens * self.input + usage.completion_tokens * self.output
        return plain + sum(count * (rate - base) for count, rate, base in parts if count)


@dataclass(frozen=True, slots=True)
class Tier:
    """A context tier: prompts of **more than** ``start`` tokens pay ``band`` for everything."""

    start: int
    band: Band


@dataclass(frozen=True)
class Rates:
    """The price of a model: a base band and, where the provider has them, dearer context tiers."""

    base: Band
    tiers: tuple[Tier, ...] = field(default=())

    def __post_init__(self) -> None:
        starts = [tier.start for tier in self.tiers]
        if starts != sorted(set(starts)) or any(start < 0 for start in starts):
            raise ValueError("context tiers must rise and not repeat")

    def band(self, prompt_tokens: int) -> Band:
        """The band that a prompt of this length pays."""
        for tier in reversed(self.tiers):
            if prompt_tokens > tier.start:
                return tier.band
        return self.base

    def bands_up_to(self, prompt_tokens: int) -> list[Band]:
        """Every band that a prompt of at most this length can pay."""
        return [self.base] + [tier.band for tier in self.tiers if prompt_tokens > tier.start]

    @cached_property
    def prices_audio(self) -> bool:
        """Whether audio has a price of its own here; if not, audio must not be sent."""
        return self.base.audio_input is not None or self.base.audio_output is not None

    @cached_property
    def free(self) -> bool:
        """Whether no call can cost anything."""
        bands = [self.base, *(tier.band for tier in self.tiers)]
        return not any(
            band.dearest_input(audio=True) or band.dearest_output(audio=True) for band in bands
        )


def cost_nanos(usage: Usage, rates: Rates) -> int:
    """What ``usage`` costs in nano-dollars, rounded up to a whole one."""
    return -(-rates.band(usage.prompt_tokens).cost(usage) // PER)


def worst_case_nanos(
    prompt_tokens: int, completion_tokens: int, rates: Rates, *, audio: bool = False
) -> int:
    """The most a call with at most these tokens can cost, in nano-dollars.

    Every token pays the dearest class it can belong to, in the dearest context tier that can
    apply. Audio counts only when the request asks for it.
    """
    bands = rates.bands_up_to(prompt_tokens)
    dearest_input = max(band.dearest_input(audio=audio) for band in bands)
    dearest_output = max(band.dearest_output(audio=audio) for band in bands)
    return -(-(prompt_tokens * dearest_input + completion_tokens * dearest_output) // PER)
