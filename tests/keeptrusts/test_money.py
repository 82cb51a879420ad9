"""The codec of money: exact in, exact out, everything else refused with a reason."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeptrusts.lib import money

AMOUNTS = st.integers(min_value=1, max_value=money.nanos(money.MAX_AMOUNT))


@given(AMOUNTS)
def test_every_amount_survives_its_own_token(amount: int) -> None:
    token = money.token(amount)
    assert "e" not in token.lower()
    assert money.parse_nanos(token) == money.parse_nanos(Decimal(token)) == amount


@given(st.one_of(st.text(), st.floats(), st.booleans(), st.none(), st.decimals(), st.integers()))
def test_anything_else_is_money_within_bounds_or_refused(value: object) -> None:
    try:
        amount = money.parse_nanos(value)
    except money.InvalidAmount as refusal:
        assert refusal.field == "amount"
    else:
        assert 0 < amount <= money.nanos(money.MAX_AMOUNT)
        assert not isinstance(value, float | bool)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (Decimal("NaN"), "finite"),
        (Decimal("1e400"), "at most 10,000,000"),
        ("999999999", "at most 10,000,000"),
        ("1" * 30, "at most 10,000,000"),
        (-1, "greater than 0"),
        (0, "greater than 0"),
        (Decimal("0.0000000001"), "at most 9 decimal places"),
        ("0.0000000001", "at most 9 decimal places"),
        ("12,5", "must be a number of US dollars"),
        ("00000000012", "must be a number of US dollars"),
        ("٣", "must be a number of US dollars"),
        (0.1, "must be a number of US dollars"),
    ],
)
def test_refusals_say_why(value: object, reason: str) -> None:
    with pytest.raises(money.InvalidAmount, match=reason):
        money.parse(value)


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (17_100, "$0.0000171"),
        (500 * money.NANO, "$500.00"),
        (1_234_500_000_000, "$1,234.50"),
        (-1_000_000_001, "-$1.000000001"),
        (0, "$0.00"),
    ],
)
def test_screens_show_every_digit_that_counts(amount: int, shown: str) -> None:
    assert money.display(amount) == shown
