"""Small amounts are never shown as zero; numbers are exact and in fixed point."""

import json
from decimal import Decimal

import pytest

from keeptrusts.kt import output


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "$0.00"),
        ("500", "$500.00"),
        ("0.02", "$0.02"),
        ("0.0000171", "$0.0000171"),
        ("499.9999829", "$499.9999829"),
        ("1234567.5", "$1,234,567.50"),
        ("-3.2", "-$3.20"),
    ],
)
def test_dollars(amount: str, shown: str) -> None:
    assert output.dollars(Decimal(amount)) == shown


def test_missing_amount_is_a_dash() -> None:
    assert output.dollars(None) == "-"


@pytest.mark.parametrize(
    ("value", "shown"),
    [("0", "0.0%"), ("0.004", "0.004%"), ("0.00000342", "0.00000342%"), ("12.34", "12.3%")],
)
def test_percent(value: str, shown: str) -> None:
    assert output.percent(Decimal(value)) == shown


def test_json_numbers_are_fixed_point() -> None:
    value = [{"cost": Decimal("1.71E-5"), "none": None, "many": Decimal("1E+3"), "empty": []}]
    text = output.as_json(value)
    assert '"cost": 0.0000171' in text
    assert json.loads(text, parse_float=Decimal) == [
        {"cost": Decimal("0.0000171"), "none": None, "many": 1000, "empty": []}
    ]


def test_json_of_one_line() -> None:
    assert output.as_json({"a": [1, Decimal("0.5")]}, indent=False) == '{"a": [1, 0.5]}'


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 tokens"), (1, "1 token"), (1234, "1,234 tokens")]
)
def test_count(number: int, text: str) -> None:
    assert output.count(number, "token") == text
