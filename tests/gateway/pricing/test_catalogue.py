"""The price catalogue that comes with the program."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelPrice, TieredPrices

from gateway.pricing import Band, Rates, catalogue

NOW = datetime(2026, 11, 1, tzinfo=UTC)
MINI = Rates(Band(input=150_000_000, output=600_000_000, cached_input=75_000_000))


@pytest.mark.parametrize("name", ["gpt-4o-mini", "gpt-4o-mini-2024-07-18", "GPT-4o-mini"])
def test_knows_dated_names_and_any_case(name: str) -> None:
    assert catalogue.rates("openai", name, NOW) == MINI


@pytest.mark.parametrize("name", ["gpt-17", "", "x" * 300, "gpt-4o-mini/../x", "smollm2"])
def test_unknown_model_has_no_price(name: str) -> None:
    assert catalogue.rates("openai", name, NOW) is None


def test_unknown_provider_has_no_price() -> None:
    assert catalogue.rates("local", "gpt-4o-mini", NOW) is None


def test_context_tiers_are_kept() -> None:
    known = catalogue.rates("openai", "gpt-5.4", NOW)
    assert known is not None
    assert (known.band(272_000).input, known.band(272_001).input) == (2_500_000_000, 5_000_000_000)


def test_price_follows_its_date() -> None:
    before = catalogue.rates("openai", "o3", datetime(2025, 6, 9, tzinfo=UTC))
    after = catalogue.rates("openai", "o3", datetime(2025, 6, 10, tzinfo=UTC))
    assert before is not None
    assert after is not None
    assert (before.base.input, after.base.input) == (10_000_000_000, 2_000_000_000)


def test_moderation_is_free() -> None:
    known = catalogue.rates("openai", "omni-moderation-latest", NOW)
    assert known is not None
    assert known.free


@pytest.mark.parametrize(
    ("provider", "model"),
    [("openai", "whisper-1"), ("openai", "tts-1"), ("github-copilot", "gpt-4o")],
)
def test_price_that_is_not_understood_is_no_price(provider: str, model: str) -> None:
    assert catalogue.rates(provider, model, NOW) is None


def test_model_that_also_bills_each_request_has_no_price() -> None:
    """Its tokens alone would be too cheap."""
    billed = [
        (provider.id, model.id)
        for provider in get_snapshot().providers
        for model in provider.models
        if isinstance(model.prices, ModelPrice) and model.prices.requests_kcount is not None
    ]
    assert billed
    assert [names for names in billed if catalogue.rates(*names, NOW) is not None] == []


def test_embedding_model_never_writes_for_free() -> None:
    known = catalogue.rates("openai", "text-embedding-3-small", NOW)
    assert known == Rates(Band(input=20_000_000, output=20_000_000))


def test_label_names_the_package_version() -> None:
    assert catalogue.label().startswith("catalogue:0.")
    assert len(catalogue.label()) <= 60


def test_canonical_name_of_a_dated_one() -> None:
    assert catalogue.canonical("openai", "gpt-4o-mini-2024-07-18") == "gpt-4o-mini"
    assert catalogue.canonical("openai", "gpt-17") is None


def _decimals(price: ModelPrice) -> list[Decimal]:
    found: list[Decimal] = []
    for name, value in vars(price).items():
        if name not in catalogue.CLASSES or value is None:
            continue
        tiers = value.tiers if isinstance(value, TieredPrices) else []
        found += [value.base if isinstance(value, TieredPrices) else value]
        found += [tier.price for tier in tiers]
    return found


def _all_decimals(provider: str | None = None) -> list[Decimal]:
    return [
        number
        for known in get_snapshot().providers
        if provider in (None, known.id)
        for model in known.models
        for price in (model.prices if isinstance(model.prices, list) else [model.prices])
        for number in _decimals(price if isinstance(price, ModelPrice) else price.prices)
    ]


def test_every_openai_price_is_stored_exactly() -> None:
    numbers = _all_decimals("openai")
    assert len(numbers) > 200
    assert [number for number in numbers if number * 10**9 != catalogue._units(number)] == []


def test_other_prices_are_exact_or_rounded_up_below_a_unit() -> None:
    differences = [catalogue._units(number) - number * 10**9 for number in _all_decimals()]
    assert all(0 <= difference < 1 for difference in differences)
    inexact = sum(1 for difference in differences if difference)
    assert 0 < inexact < len(differences) / 100


def test_every_priced_model_of_the_catalogue_can_be_read() -> None:
    names = [name for name, _rates in catalogue.models("openai", NOW)]
    assert {"gpt-4o-mini", "gpt-4.1", "o3"} <= set(names)
    for provider in get_snapshot().providers:
        assert all(isinstance(known, Rates) for _, known in catalogue.models(provider.id, NOW))
