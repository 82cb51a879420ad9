"""Which price counts for whom and when."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.models import ModelPrice
from gateway.pricing import Band, PriceBook, Rates, catalogue

NOW = datetime(2026, 11, 1, tzinfo=UTC)
OURS = 7


def row(units: int, **fields: Any) -> ModelPrice:
    """A price version that is not stored: ``units`` for input and output."""
    values = {
        "provider": "openai",
        "model": "gpt-4o-mini",
        "valid_from": NOW - timedelta(days=1),
        "created_by": "user_x",
    }
    return ModelPrice(input=units, output=units, **values | fields)


def price(book: PriceBook, organization: int | None = OURS, **fields: Any) -> int | None:
    """The input rate that ``book`` finds."""
    values: dict[str, Any] = {"provider": "openai", "model": "gpt-4o-mini", "at": NOW} | fields
    found = book.rates(organization, **values)
    return found.rates.base.input if found else None


def test_catalogue_counts_where_nothing_is_stored() -> None:
    found = PriceBook.build([]).rates(OURS, "openai", "gpt-4o-mini", NOW)
    assert found is not None
    assert found.version == catalogue.label()
    assert found.rates.base.input == 150_000_000


def test_stored_price_wins_over_the_catalogue() -> None:
    stored = row(5)
    found = PriceBook.build([stored]).rates(OURS, "openai", "gpt-4o-mini", NOW)
    assert found == (Rates(Band(input=5, output=5)), stored.public_id)


def test_own_price_wins_in_funding_mode_internal() -> None:
    rows = [row(5), row(9, organization_id=OURS)]
    assert price(PriceBook.build(rows, internal_organizations={OURS})) == 9
    assert price(PriceBook.build(rows, internal_organizations=set())) == 5


def test_own_price_is_nobody_elses() -> None:
    book = PriceBook.build([row(9, organization_id=OURS)], internal_organizations={OURS})
    assert price(book, organization=8) == 150_000_000
    assert price(book, organization=None) == 150_000_000


def test_newest_version_that_has_begun_counts() -> None:
    book = PriceBook.build(
        [
            row(1, valid_from=NOW - timedelta(days=9)),
            row(3, valid_from=NOW + timedelta(seconds=1)),
            row(2, valid_from=NOW),
        ]
    )
    assert price(book) == 2
    assert price(book, at=NOW - timedelta(seconds=1)) == 1
    assert price(book, at=NOW + timedelta(seconds=1)) == 3
    assert price(book, at=NOW - timedelta(days=10)) == 150_000_000


def test_of_two_versions_that_begin_together_the_later_row_counts() -> None:
    assert price(PriceBook.build([row(2, pk=2), row(3, pk=3), row(1, pk=1)])) == 3


def test_names_are_compared_without_case() -> None:
    assert price(PriceBook.build([row(5)]), model="GPT-4O-Mini", provider="OpenAI") == 5


def test_dated_name_takes_the_price_of_its_model() -> None:
    assert price(PriceBook.build([row(5)]), model="gpt-4o-mini-2024-07-18") == 5


def test_dated_name_with_a_price_of_its_own_keeps_it() -> None:
    rows = [row(5), row(6, model="gpt-4o-mini-2024-07-18")]
    assert price(PriceBook.build(rows), model="gpt-4o-mini-2024-07-18") == 6
    assert price(PriceBook.build(rows)) == 5


def test_local_model_is_a_row_like_any_other() -> None:
    book = PriceBook.build([row(4, provider="local", model="smollm2")])
    assert price(book, provider="local", model="smollm2") == 4
    assert price(book, provider="local", model="other") is None


def test_free_model_has_a_price() -> None:
    assert price(PriceBook.build([row(0)])) == 0


@pytest.mark.django_db
def test_book_is_loaded_in_two_queries(django_assert_num_queries: Any) -> None:
    row(5).save()
    row(6, model="other").save()
    with django_assert_num_queries(2):
        book = PriceBook.load()
    assert price(book) == 5
    assert price(book, model="other") == 6
