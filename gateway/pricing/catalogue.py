"""The price catalogue that comes with the program: genai-prices, as it was when this was built.

Nothing here reads the network. A model is priced only when every part of its price that a plain
call can come to is understood here; otherwise it has no catalogue price at all.

27 of the catalogue's several thousand prices have more digits than a rate holds (thirds, and traces
of binary floats such as 0.18000000000000002); they are rounded up, by less than 1e-9 USD per
1,000,000 tokens. No integer column could hold their 18 digits. All prices of OpenAI are exact.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from decimal import ROUND_CEILING, Context, Decimal
from functools import cache, lru_cache
from importlib.metadata import version
from typing import Any

from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo, ModelPrice, Provider, TieredPrices

from gateway.pricing.rates import Band, Rates, Tier

MAX_NAME = 256
LABEL = "catalogue:"
_WIDE = Context(prec=60)
_NO_TEXT = re.compile(
    r"moderation|embed|whisper|transcri|dall-e|imagen|rerank"
    r"|(?<![a-z])(tts|image|images|speech|stt)(?![a-z])"
)

CLASSES = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cached_input",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "output_reasoning_mtok": "reasoning",
    "input_audio_mtok": "audio_input",
    "output_audio_mtok": "audio_output",
    "input_image_mtok": "image_input",
    "output_image_mtok": "image_output",
}
# Billed only when a request asks for the feature, or less than a class above that counts instead.
ASKED_FOR = {
    *("web_searches_kcount", "storage_searches_kcount", "input_video_mtok", "output_video_mtok"),
    *("cache_audio_read_mtok", "cache_image_read_mtok", "input_document_kpages"),
    *("input_annotated_document_kpages",),
}


@cache
def label() -> str:
    """The version of catalogue prices as events record it."""
    return f"{LABEL}{version('genai-prices')}"


@cache
def _providers() -> dict[str, Provider]:
    return {provider.id: provider for provider in get_snapshot().providers}


@lru_cache(maxsize=4096)
def _model(provider: str, model: str) -> ModelInfo | None:
    """Bounded on purpose: names come from callers."""
    found = _providers().get(provider)
    if found is None or len(model) > MAX_NAME:
        return None
    return found.find_model(model, all_providers=get_snapshot().providers)


def rates(provider: str, model: str, at: datetime) -> Rates | None:
    """The catalogue's price of ``model`` (dated names too) at an instant, or None."""
    info = _model(provider.lower(), model.lower())
    if info is None:
        return None
    return _rates(_Price(info.get_prices(at), _counts_as_free(info)))


def canonical(provider: str, model: str) -> str | None:
    """The catalogue's own name for ``model``: ``gpt-4o-mini`` for ``gpt-4o-mini-2024-07-18``."""
    info = _model(provider.lower(), model.lower())
    return info.id if info else None


def writes_text(provider: str, model: str) -> bool:
    """Whether the entry that prices ``model`` is one for chats.

    By its name, the catalogue does not say: not a model for moderation, embeddings, speech,
    transcripts or pictures.
    """
    names = (model, canonical(provider, model) or "")
    return not any(_NO_TEXT.search(name.lower()) for name in names)


def embeds(provider: str, model: str) -> bool:
    """Whether the entry that prices ``model`` is one for embeddings, by its name."""
    name = (canonical(provider, model) or "").lower()
    if provider.lower() == "voyageai":
        return bool(name) and "rerank" not in name
    return "embed" in name


def moderates(provider: str, model: str) -> bool:
    """Whether the entry that prices ``model`` is one for moderation, by its name."""
    return "moderation" in (canonical(provider, model) or "").lower()


def context_window(provider: str, model: str) -> int | None:
    """The most tokens ``model`` reads, where the catalogue says so."""
    info = _model(provider.lower(), model.lower())
    return info.context_window if info is not None else None


def models(provider: str, at: datetime) -> Iterator[tuple[str, Rates]]:
    """Every model of a provider that has a price, with it."""
    found = _providers().get(provider.lower())
    for info in found.models if found else []:
        if (known := rates(provider, info.id, at)) is not None:
            yield info.id, known


def warm() -> None:
    """Load the catalogue now (a quarter of a second) and not at the first request."""
    _providers()
    label()


def _counts_as_free(info: ModelInfo) -> bool:
    """An empty price means "free" for these models; elsewhere it means "unknown"."""
    return info.id.endswith(":free") or info.id == "moderation"


class _Price:
    """A catalogue price as a cache key: the catalogue's own objects are compared by identity."""

    __slots__ = ("free_if_empty", "price")

    def __init__(self, price: ModelPrice, free_if_empty: bool) -> None:
        self.price = price
        self.free_if_empty = free_if_empty

    def __hash__(self) -> int:
        return id(self.price)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Price) and other.price is self.price


@lru_cache(maxsize=4096)
def _rates(key: _Price) -> Rates | None:
    given = {name: value for name, value in vars(key.price).items() if value is not None}
    if not given:
        return Rates(Band(input=0, output=0)) if key.free_if_empty else None
    if "input_mtok" not in given or given.keys() - CLASSES.keys() - ASKED_FOR:
        return None
    tiered = [value for value in given.values() if isinstance(value, TieredPrices)]
    starts = sorted({tier.start for value in tiered for tier in value.tiers})
    return Rates(_band(given, 0), tuple(Tier(start, _band(given, start + 1)) for start in starts))


def _band(given: dict[str, Any], prompt_tokens: int) -> Band:
    units = {
        CLASSES[name]: _units(_at(value, prompt_tokens))
        for name, value in given.items()
        if name in CLASSES
    }
    # Models without an output price (embeddings) write nothing; if one does, it is not free.
    units.setdefault("output", units["input"])
    return Band(**units)


def _at(value: Decimal | TieredPrices, prompt_tokens: int) -> Decimal:
    if isinstance(value, Decimal):
        return value
    for tier in reversed(value.tiers):
        if prompt_tokens > tier.start:
            return tier.price
    return value.base


def _units(dollars_per_million: Decimal) -> int:
    """Nano-dollars per 1,000,000 tokens, rounded up."""
    if not dollars_per_million.is_finite() or dollars_per_million < 0:
        raise ValueError(f"the catalogue has a price of {dollars_per_million}")
    scaled = dollars_per_million.scaleb(9, _WIDE)
    return int(scaled.to_integral_value(rounding=ROUND_CEILING, context=_WIDE))
