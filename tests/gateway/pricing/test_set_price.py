"""Adding price versions, and what is refused."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError
from django.utils import timezone

from gateway import pricing
from gateway.models import ModelPrice
from gateway.models.price import PriceChanged
from gateway.pricing import PriceBook
from gateway.pricing.amounts import InvalidPrice, units
from keeptrusts.lib import money
from tests import factories
from wallets import revisions
from wallets.errors import Forbidden
from wallets.models import AuditRecord

pytestmark = [pytest.mark.django_db, pytest.mark.engines]
SUFFIX = "_cost_per_1k_tokens"


def add(**fields: Any) -> ModelPrice:
    """The tutorial's price, with changes."""
    values: dict[str, Any] = {
        "provider": "openai",
        "model": "gpt-4o-mini",
        "input_cost_per_1k_tokens": Decimal("0.00015"),
        "output_cost_per_1k_tokens": Decimal("0.0006"),
        "created_by": "user_admin",
    }
    return pricing.set_price(**values | fields)


def test_tutorial_price_is_stored_exactly() -> None:
    row = ModelPrice.objects.get(pk=add().pk)
    assert (row.input, row.output, row.cached_input) == (150_000_000, 600_000_000, None)
    assert str(row.input_cost_per_1k_tokens) == "0.00015"
    assert str(row.output_cost_per_1k_tokens) == "0.0006"
    assert row.created_by == "user_admin"


def test_tutorial_call_costs_17100_nanos() -> None:
    add()
    found = PriceBook.load().rates(None, "openai", "gpt-4o-mini", timezone.now())
    assert found is not None
    assert pricing.cost_nanos(pricing.Usage(14, 25), found.rates) == 17_100


def test_twelve_digits_are_kept() -> None:
    row = add(input_cost_per_1k_tokens="0.000000000001", output_cost_per_1k_tokens="1000")
    assert (row.input, row.output) == (1, 10**15)
    assert money.fixed(row.input_cost_per_1k_tokens) == "0.000000000001"
    assert str(row.output_cost_per_1k_tokens) == "1000"


def test_new_price_is_a_new_version() -> None:
    first = add()
    second = add(input_cost_per_1k_tokens=1)
    assert ModelPrice.objects.count() == 2
    assert ModelPrice.objects.get(pk=first.pk).input == 150_000_000
    assert [row.pk for row in pricing.current_prices()] == [second.pk]


def test_version_that_has_not_begun_is_not_current() -> None:
    first = add()
    add(input_cost_per_1k_tokens=1, valid_from=timezone.now() + timedelta(days=1))
    assert [row.pk for row in pricing.current_prices()] == [first.pk]


def test_gateways_hear_of_a_new_price() -> None:
    before = revisions.current()
    add()
    assert revisions.current() == before + 1


def test_audit_log_says_who_set_what_and_what_it_was_before() -> None:
    add()
    row = add(input_cost_per_1k_tokens="0.0002", address="192.0.2.1")
    record = AuditRecord.objects.get(target=row.public_id)
    assert record.before and record.after
    assert (record.actor, record.action, record.address) == (
        "user_admin",
        "price.set",
        "192.0.2.1",
    )
    assert record.before["input"] == "0.00015"
    assert record.after["input"] == "0.0002"
    assert record.after["output"] == "0.0006"


def test_first_price_has_no_before() -> None:
    assert AuditRecord.objects.get(target=add().public_id).before is None


def test_further_classes_and_tiers_are_stored_and_used() -> None:
    tier = {"start": 200_000, "input" + SUFFIX: "0.0003", "output" + SUFFIX: "0.0012"}
    row = add(classes={"reasoning": "0.002"}, tiers=[tier])
    assert row.further == {
        "classes": {"reasoning": "2000000000"},
        "tiers": [{"start": "200000", "input": "300000000", "output": "1200000000"}],
    }
    found = PriceBook.load().rates(None, "openai", "gpt-4o-mini", timezone.now())
    assert found is not None
    assert found.rates.base.reasoning == 2_000_000_000
    assert found.rates.band(200_001).input == 300_000_000


@pytest.mark.parametrize(
    "value",
    [
        *("-1", "1e3", "NaN", "Infinity", "", " 1", "1,5", ".5", "1.", "0.0000000000001"),
        *("1000.000000000001", "1001", "١", None, True, 0.1, [], {}, Decimal("-0.1")),
        *(Decimal("NaN"), Decimal("Infinity"), Decimal("1e400"), Decimal("1e-400"), 10**30),
    ],
)
def test_what_is_no_price_is_refused_and_changes_nothing(value: Any) -> None:
    with pytest.raises(InvalidPrice) as refusal:
        add(output_cost_per_1k_tokens=value)
    assert refusal.value.field == "output_cost_per_1k_tokens"
    assert (refusal.value.code, refusal.value.status) == ("invalid_price", 422)
    assert ModelPrice.objects.count() == 0


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"provider": ""}, "provider"),
        ({"model": " gpt"}, "model"),
        ({"model": "x" * 121}, "model"),
        ({"model": "a\nb"}, "model"),
        ({"valid_from": datetime(2026, 1, 1)}, "valid_from"),  # noqa: DTZ001
        ({"cached_input" + SUFFIX: "x"}, "cached_input" + SUFFIX),
        ({"classes": {"magic": 1}}, "classes.magic"),
        ({"classes": [1]}, "classes"),
        ({"classes": {"reasoning": -1}}, "classes.reasoning"),
        ({"tiers": {"start": 1}}, "tiers"),
        ({"tiers": [1]}, "tiers.0"),
        ({"tiers": [{"start": -1}]}, "tiers.0.start"),
        ({"tiers": [{"start": True}]}, "tiers.0.start"),
        ({"tiers": [{"start": 5}]}, "tiers.0.input" + SUFFIX),
        ({"tiers": [{"start": 1}] * 11}, "tiers"),
    ],
)
def test_refusal_names_the_field(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidPrice) as refusal:
        add(**fields)
    assert refusal.value.field == field
    assert ModelPrice.objects.count() == 0


def test_unknown_key_of_a_tier_is_refused() -> None:
    tier = {"start": 1, "input" + SUFFIX: 1, "output" + SUFFIX: 1, "inptu": 1}
    with pytest.raises(InvalidPrice, match="is unknown here"):
        add(tiers=[tier])


def test_tiers_must_rise() -> None:
    tier = {"start": 1, "input" + SUFFIX: 1, "output" + SUFFIX: 1}
    with pytest.raises(InvalidPrice, match="must rise"):
        add(tiers=[tier, tier])


def test_prepaid_organisation_may_not_set_prices() -> None:
    organization = factories.make_organization(funding_mode="prepaid")
    with pytest.raises(Forbidden):
        add(organization=organization)
    assert ModelPrice.objects.count() == 0


def test_own_price_replaces_the_platforms_in_the_list() -> None:
    ours = factories.make_organization(funding_mode="internal")
    other = factories.make_organization(funding_mode="internal")
    own = add(organization=ours)
    platform = add(input_cost_per_1k_tokens=1)
    assert [row.pk for row in pricing.current_prices(ours)] == [own.pk]
    assert [row.pk for row in pricing.current_prices(other)] == [platform.pk]
    assert [row.pk for row in pricing.current_prices()] == [platform.pk]


def test_list_is_ordered_by_provider_and_model() -> None:
    add(provider="zeta")
    add(model="o3")
    add()
    names = [(row.provider, row.model) for row in pricing.current_prices()]
    assert names == [("openai", "gpt-4o-mini"), ("openai", "o3"), ("zeta", "gpt-4o-mini")]


def test_stored_price_is_never_changed_or_deleted() -> None:
    row = add()
    row.input = 1
    with pytest.raises(PriceChanged):
        row.save()
    with pytest.raises(PriceChanged):
        row.delete()
    assert ModelPrice.objects.get(pk=row.pk).input == 150_000_000


@pytest.mark.parametrize("fields", [{"input": -1}, {"output": 10**15 + 1}, {"cache_write": -1}])
def test_database_refuses_what_the_code_forbids(fields: dict[str, int]) -> None:
    values: dict[str, Any] = {"input": 1, "output": 1, "provider": "p", "model": "m"} | fields
    with pytest.raises(IntegrityError):
        ModelPrice(valid_from=datetime(2026, 1, 1, tzinfo=UTC), created_by="x", **values).save()


def test_units_read_decimals_integers_and_text_alike() -> None:
    assert [units(value, "x") for value in (Decimal("1.50"), "1.5", 2)] == [
        1_500_000_000_000,
        1_500_000_000_000,
        2_000_000_000_000,
    ]
