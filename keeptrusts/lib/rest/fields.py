"""Serializer fields of /v1. Money is nano-dollars inside and exact dollars outside."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from keeptrusts.lib import money

ALL = "all"
YEARS = range(1970, 2200)
"""Years in which times of input may lie."""


@extend_schema_field({"type": "number", "example": 12.5, "description": "Exact US dollars."})
class MoneyField(serializers.Field):
    """Nano-dollars shown as a number of dollars with up to nine decimals."""

    def to_representation(self, value: int) -> Decimal:
        """Exact dollars."""
        return money.dollars(value)


_FORMS: list[dict[str, Any]] = [
    {"type": "number", "minimum": 0, "maximum": 10_000_000},
    {"type": "string", "pattern": r"^\d{1,8}(\.\d{1,9})?$"},
]
_AMOUNT = {
    "oneOf": _FORMS,
    "description": "US dollars: at most 9 decimals and 10,000,000; a number or a decimal text.",
    "example": 500.00,
}


@extend_schema_field(_AMOUNT)
class AmountField(serializers.Field):
    """An amount somebody sends: a JSON number or a decimal text, as whole nano-dollars.

    Refused (422, naming the field): not finite, not above zero (zero is fine where ``allow_zero``),
    above 10,000,000 USD, finer than a nano-dollar.
    """

    def __init__(self, *, allow_zero: bool = False, **kwargs: Any) -> None:
        self.allow_zero = allow_zero
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> int:
        """Whole nano-dollars."""
        try:
            return money.parse_nanos(data, field=self.field_name or "", allow_zero=self.allow_zero)
        except money.InvalidAmount as error:
            raise serializers.ValidationError(error.message, code=error.code) from None

    def to_representation(self, value: int) -> Decimal:
        """Exact dollars."""
        return money.dollars(value)


@extend_schema_field({"oneOf": [*_FORMS, {"type": "string", "enum": [ALL]}]})
class AmountOrAllField(AmountField):
    """An amount, or ``"all"`` (None inside): everything that is available."""

    def to_internal_value(self, data: Any) -> int | None:  # type: ignore[override]
        """Whole nano-dollars, or None for all."""
        return None if data == ALL else super().to_internal_value(data)


_SIGNED: list[dict[str, Any]] = [
    {"type": "number", "minimum": -10_000_000, "maximum": 10_000_000},
    {"type": "string", "pattern": r"^-?\d{1,8}(\.\d{1,9})?$"},
]


@extend_schema_field({"oneOf": _SIGNED, "description": "US dollars; negative takes more."})
class SignedAmountField(AmountField):
    """An amount that may be negative, never zero."""

    def to_internal_value(self, data: Any) -> int:
        """Whole nano-dollars with their sign."""
        if isinstance(data, str) and data.startswith("-"):
            return -super().to_internal_value(data[1:])
        if isinstance(data, int | Decimal) and not isinstance(data, bool) and _negative(data):
            return -super().to_internal_value(-data)
        return super().to_internal_value(data)


def _negative(number: int | Decimal) -> bool:
    return not (isinstance(number, Decimal) and number.is_nan()) and number < 0


@extend_schema_field({"type": "string", "enum": ["USD"]})
class CurrencyField(serializers.Field):
    """The currency of an amount. There is one: USD."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"required": False, "default": "USD", "write_only": True, **kwargs})

    def to_internal_value(self, data: Any) -> str:
        """``USD``; anything else is refused."""
        if data != "USD":
            raise serializers.ValidationError(
                'must be "USD": amounts are US dollars, no other currency is supported.',
                code="unsupported_currency",
            )
        return "USD"


class MomentField(serializers.DateTimeField):
    """A time somebody sends, within bounds that every database and time zone can calculate with."""

    def to_internal_value(self, value: Any) -> datetime:
        """An aware time of the years 1970 to 2199."""
        try:
            found = super().to_internal_value(value)
        except OverflowError:
            found = None
        return bounded(found)


def bounded(moment: datetime | None) -> datetime:
    """``moment`` if it can be calculated with; raises ``ValidationError``."""
    if moment is None or moment.year not in YEARS:
        raise serializers.ValidationError("must be a time between 1970 and 2200.")
    return moment


@extend_schema_field({"type": "string", "nullable": True})
class PublicIdField(serializers.Field):
    """The public id of the object an attribute holds, or null."""

    def to_representation(self, value: Any) -> str:
        """The object's public id."""
        public_id: str = value.public_id
        return public_id

    def get_attribute(self, instance: Any) -> Any:
        """The object; None where the relation is empty."""
        try:
            return super().get_attribute(instance)
        except ObjectDoesNotExist:
            return None
