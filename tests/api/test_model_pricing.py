"""GET and POST /v1/model-pricing."""

from decimal import Decimal
from typing import Any

import pytest

from gateway.models import ModelPrice
from tests import factories
from tests.api.client import Caller
from tests.api.conftest import World, caller
from wallets.models import AuditRecord

PRICE = {
    "model": "gpt-4o-mini",
    "provider": "openai",
    "input_cost_per_1k_tokens": Decimal("0.00015"),
    "output_cost_per_1k_tokens": Decimal("0.0006"),
}


def test_a_price_is_added_and_listed_in_a_bare_array(world: World, admin: Caller) -> None:
    answer = admin.post("model-pricing", PRICE)
    assert answer.status == 201
    assert '"input_cost_per_1k_tokens":0.00015,' in answer.text
    listed = admin.get("model-pricing").body
    assert listed == [answer.body]


def test_the_newest_version_counts(world: World, admin: Caller) -> None:
    admin.post("model-pricing", PRICE)
    admin.post("model-pricing", {**PRICE, "output_cost_per_1k_tokens": "0.0007"})
    listed = admin.get("model-pricing").body
    assert [str(row["output_cost_per_1k_tokens"]) for row in listed] == ["0.0007"]
    assert ModelPrice.objects.count() == 2


def test_the_platforms_price_is_everybodys_an_own_one_is_not(world: World, admin: Caller) -> None:
    platform = world.callers["platform"]
    assert platform.post("model-pricing", PRICE).body["organization_id"] is None
    own = admin.post("model-pricing", {**PRICE, "input_cost_per_1k_tokens": 1}).body
    assert own["organization_id"] == world.acme.public_id
    seen = {
        role: world.callers[role].get("model-pricing").body[0]["input_cost_per_1k_tokens"]
        for role in ("member", "stranger", "platform")
    }
    assert {role: str(price) for role, price in seen.items()} == {
        "member": "1", "stranger": "0.00015", "platform": "0.00015",
    }  # fmt: skip


def test_classes_and_tiers_come_back_as_they_went(world: World, admin: Caller) -> None:
    tier = {"start": 200000, "input_cost_per_1k_tokens": 2, "output_cost_per_1k_tokens": 3}
    body = admin.post(
        "model-pricing",
        {
            **PRICE,
            "cached_input_cost_per_1k_tokens": 0,
            "classes": {"reasoning": Decimal("0.008")},
            "tiers": [tier],
        },
    ).body
    assert body["cached_input_cost_per_1k_tokens"] == 0
    assert {name: str(price) for name, price in body["classes"].items()} == {"reasoning": "0.008"}
    assert body["tiers"] == [{**tier, "classes": {}}]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"input_cost_per_1k_tokens": -1}, "input_cost_per_1k_tokens"),
        ({"input_cost_per_1k_tokens": "0,5"}, "input_cost_per_1k_tokens"),
        ({"output_cost_per_1k_tokens": 1001}, "output_cost_per_1k_tokens"),
        ({"output_cost_per_1k_tokens": None}, "output_cost_per_1k_tokens"),
        ({"output_cost_per_1k_tokens": Decimal("1e-13")}, "output_cost_per_1k_tokens"),
        ({"output_cost_per_1k_tokens": Decimal("1e400")}, "output_cost_per_1k_tokens"),
        ({"model": ""}, "model"),
        ({"classes": {"magic": 1}}, "classes.magic"),
        ({"tiers": [{"start": -1}]}, "tiers.0.start"),
        ({"tiers": [5]}, "tiers.0"),
        ({"valid_from": "9999-12-31T23:59:59Z"}, "valid_from"),
        ({"price": 1}, "price"),
    ],
)
def test_a_price_that_cannot_be_is_refused(
    world: World, admin: Caller, changes: dict[str, Any], field: str
) -> None:
    answer = admin.post("model-pricing", {**PRICE, **changes})
    assert answer.status == 422
    assert answer.error["details"]["field"] == field
    assert not ModelPrice.objects.exists()


def test_a_prepaid_organization_sets_no_prices(db: None) -> None:
    organization = factories.make_organization()
    admin = caller(organization, factories.make_user(organization, role="admin"))
    assert admin.post("model-pricing", PRICE).status == 403
    assert admin.get("model-pricing").body == []


def test_who_set_it_is_written_down(world: World, admin: Caller) -> None:
    price = admin.post("model-pricing", PRICE).body
    record = AuditRecord.objects.get(action="price.set")
    assert (record.target, record.after["input"]) == (price["id"], "0.00015")
