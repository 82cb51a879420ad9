"""Amounts, currencies and targets that cannot be used: a clear 4xx, and nothing changed."""

from typing import Any

import pytest

from tests.api.client import Caller
from tests.api.conftest import World

GOOD = {"team_id": '"team_engineering"', "amount": "5", "currency": '"USD"'}

BAD = [
    ("amount", "NaN", 400),
    ("amount", '"NaN"', 422),
    ("amount", "1e400", 422),
    ("amount", "-1", 422),
    ("amount", "0", 422),
    ("amount", "0.0", 422),
    ("amount", "-0", 422),
    ("amount", "0.0000000001", 422),
    ("amount", "1e-400", 422),
    ("amount", "123456789012345678901234567890", 422),
    ("amount", "1" * 5000, 422),
    ("amount", "1." + "0" * 70 + "1", 422),
    ("amount", '"12,5"', 422),
    ("amount", '"1e3"', 422),
    ("amount", '"+5"', 422),
    ("amount", '" 5"', 422),
    ("amount", '"٥"', 422),
    ("amount", "10000000.000000001", 422),
    ("amount", "true", 422),
    ("amount", "null", 422),
    ("amount", "[5]", 422),
    ("amount", '{"value": 5}', 422),
    ("amount", '""', 422),
    ("currency", '"EUR"', 422),
    ("currency", '"usd"', 422),
    ("currency", "5", 422),
    ("team_id", '"team_nowhere"', 404),
    ("team_id", '"team_research"', 404),
    ("team_id", '""', 422),
    ("team_id", "5", 404),
    ("team_id", '"team_\\u0000"', 422),
    ("team_id", '"\\ud800"', 422),
]
FIELDS_THAT_PARSE = [row for row in BAD if row[2] == 422]


def _body(**changes: str) -> str:
    parts = {**GOOD, **changes}
    return "{" + ", ".join(f'"{name}": {value}' for name, value in parts.items()) + "}"


@pytest.mark.parametrize("operation", ["allocate", "reclaim"])
@pytest.mark.parametrize(("field", "value", "status"), BAD)
def test_bad_input_is_refused_and_changes_nothing(
    world: World, admin: Caller, operation: str, field: str, value: str, status: int
) -> None:
    before = world.balances()
    answer = admin.call("POST", f"wallets/{operation}", raw=_body(**{field: value}))
    assert answer.status == status
    assert answer.error["message"]
    assert world.balances() == before


@pytest.mark.parametrize(("field", "value", "status"), FIELDS_THAT_PARSE)
def test_the_error_names_the_field(
    world: World, admin: Caller, field: str, value: str, status: int
) -> None:
    error = admin.call("POST", "wallets/allocate", raw=_body(**{field: value})).error
    assert error["details"]["field"] == field
    assert field in error["message"]


@pytest.mark.parametrize("value", ["NaN", "1e400", "-1", "0", "0.0000000001", '"12,5"'])
def test_bad_amounts_are_refused_in_every_operation(
    world: World, admin: Caller, value: str
) -> None:
    team, user = "team_engineering", world.lead.public_id
    bodies = {
        "wallets/credit": f'{{"amount": {value}, "description": "x"}}',
        "wallets/allocate/bulk": f'{{"allocations": [{{"team_id": "{team}", "amount": {value}}}]}}',
        "wallets/users": f'{{"team_id": "{team}", "user_id": "{user}", "amount": {value}}}',
    }
    before = world.balances()
    for path, body in bodies.items():
        assert admin.call("POST", path, raw=body).status in (400, 422), path
    assert world.balances() == before


def test_another_currency_is_refused_by_a_message_that_says_so(world: World, admin: Caller) -> None:
    error = admin.call("POST", "wallets/allocate", raw=_body(currency='"EUR"')).error
    assert error["code"] == "unsupported_currency"
    assert 'must be "USD"' in error["message"]


@pytest.mark.parametrize("body", [{}, {"amount": 5}, {"team_id": "team_engineering"}])
def test_missing_fields_are_named(world: World, admin: Caller, body: dict[str, Any]) -> None:
    answer = admin.post("wallets/allocate", body)
    assert answer.status == 422
    assert answer.error["details"]["field"] in ("team_id", "amount")


def test_the_place_of_a_mistake_in_a_list_is_named(world: World, admin: Caller) -> None:
    lines = [{"team_id": "team_engineering", "amount": 1}, {"team_id": "team_marketing"}]
    answer = admin.post("wallets/allocate/bulk", {"allocations": lines})
    assert answer.error["details"]["field"] == "allocations.1.amount"
