"""The calls of the cost tracking tutorial, byte by byte as a reader pastes them."""

from tests.api.client import Caller
from tests.api.conftest import World
from tests.factories import nano

PRICING = """{
"model": "gpt-4o-mini",
"provider": "openai",
"input_cost_per_1k_tokens": 0.00015,
"output_cost_per_1k_tokens": 0.0006
}"""
ENGINEERING = """{
"team_id": "team_engineering",
"amount": 500.00,
"currency": "USD",
"description": "Monthly LLM budget - April 2026"
}"""
MARKETING = ENGINEERING.replace("engineering", "marketing").replace("500.00", "100.00")
CENT = '{"team_id": "team_marketing", "amount": 0.01, "currency": "USD"}'


def test_model_pricing_is_seeded_and_verified(world: World, admin: Caller) -> None:
    assert admin.call("POST", "model-pricing", raw=PRICING).status == 201
    rows = admin.get("model-pricing").body
    assert [
        (row["model"], str(row["input_cost_per_1k_tokens"]), str(row["output_cost_per_1k_tokens"]))
        for row in rows
    ] == [("gpt-4o-mini", "0.00015", "0.0006")]


def test_budgets_are_allocated(world: World, admin: Caller) -> None:
    assert admin.call("POST", "wallets/allocate", raw=ENGINEERING).status == 200
    assert admin.call("POST", "wallets/allocate", raw=MARKETING).status == 200
    assert world.wallet(world.engineering).balance == nano(700)
    assert world.wallet(world.marketing).balance == nano(100)


def test_a_cent_is_allocated(world: World, admin: Caller) -> None:
    answer = admin.call("POST", "wallets/allocate", raw=CENT)
    assert (answer.status, str(answer.body["balance"])) == (200, "0.01")
