"""Between a stored price version and the rates it stands for.

``further`` of a row, integers as strings so that no JSON reader turns them into floats::

    {"classes": {"reasoning": "8000000000"},
     "tiers": [{"start": "200000", "input": "5000000000", "output": "…", "classes": {…}}]}
"""

from collections.abc import Mapping
from typing import Any

from gateway.models.price import ModelPrice
from gateway.pricing.rates import Band, Rates, Tier

FURTHER_CLASSES = (
    *("cache_write_1h", "reasoning", "audio_input", "audio_output"),
    *("image_input", "image_output"),
)
MAIN_CLASSES = ("input", "output", "cached_input", "cache_write")


def rates_of(row: ModelPrice) -> Rates:
    """The rates of a price version."""
    base = {name: getattr(row, name) for name in MAIN_CLASSES}
    base |= _integers(row.further.get("classes", {}))
    return Rates(Band(**base), tuple(_tier(tier) for tier in row.further.get("tiers", [])))


def _tier(stored: Mapping[str, Any]) -> Tier:
    main = {name: stored[name] for name in MAIN_CLASSES if name in stored}
    return Tier(
        int(stored["start"]), Band(**_integers(main), **_integers(stored.get("classes", {})))
    )


def _integers(stored: Mapping[str, str]) -> dict[str, int]:
    return {name: int(value) for name, value in stored.items()}
