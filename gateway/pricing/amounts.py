"""Prices as people and JSON write them, and as the database keeps them."""

import re
from decimal import Decimal
from typing import Any

from gateway.models.price import MAX_PRICE, per_1k
from wallets.errors import InvalidInput

PLACES = 12
_TEXT = re.compile(r"\d{1,6}(\.\d{1,12})?", re.ASCII)


class InvalidPrice(InvalidInput):
    """A price that cannot be used. ``field`` names the input, ``message`` says what to send."""

    code = "invalid_price"


def units(value: Any, field: str) -> int:
    """Nano-dollars per 1,000,000 tokens of a price in USD per 1,000 tokens.

    ``value``: a ``Decimal``, an ``int`` or text such as ``0.00015``; at least 0, at most 1,000,
    at most 12 digits after the point. Raises ``InvalidPrice``; a float is refused, it is not exact.
    """
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str):
        raise InvalidPrice(field, "must be a number such as 0.00015")
    text = value if isinstance(value, str) else _fixed(value)
    if not _TEXT.fullmatch(text):
        raise InvalidPrice(
            field, "must be a number from 0 to 1000 with at most 12 digits after the point"
        )
    scaled = int(Decimal(text).scaleb(PLACES))
    if scaled > MAX_PRICE:
        raise InvalidPrice(field, f"must be at most {per_1k(MAX_PRICE)} USD per 1,000 tokens")
    return scaled


def _fixed(value: Decimal | int) -> str:
    """Digits without an exponent; what is no plain number stays unreadable and is refused."""
    number = Decimal(value)
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or not -40 <= exponent <= 40 or number.adjusted() > 40:
        return "out of range"
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
