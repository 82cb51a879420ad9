"""The one codec for money: exact dollars outside, integer nano-dollars inside.

The database stores nano-dollars (1e-9 USD, ``bigint``); Python code that talks to people or to JSON
sees ``Decimal`` dollars. Floats never pass. Nothing here knows Django.
"""

import re
from decimal import Context, Decimal, Inexact, InvalidOperation

NANO = 1_000_000_000
MAX_AMOUNT = Decimal(10_000_000)
MAX_BALANCE = 4_000_000_000 * NANO
"""No wallet column may exceed this many nano-dollars (4,000,000,000 USD)."""

_TEXT = re.compile(r"\d{1,8}(\.\d{1,9})?", re.ASCII)
_OUT_OF_BOUNDS = re.compile(r"[1-9]\d{7,59}(\.\d{1,60})?|\d{1,8}\.\d{10,60}", re.ASCII)
"""Plain numbers that are too large or too fine: ``parse`` says which, instead of "no number"."""
_EXACT = Context(prec=60, traps=[Inexact, InvalidOperation])
_PLACES = 9
_STEP = Decimal(1).scaleb(-_PLACES)


class InvalidAmount(ValueError):
    """An amount that cannot be money. ``field`` names the input, ``message`` says what to send."""

    code = "invalid_amount"
    status = 422

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


def nanos(dollars: Decimal) -> int:
    """Whole nano-dollars of exact ``dollars``; raises ``decimal.Inexact`` below a nano-dollar."""
    return int(dollars.scaleb(_PLACES, _EXACT).to_integral_exact(context=_EXACT))


def dollars(amount: int) -> Decimal:
    """Exact dollars of ``amount`` nano-dollars, without trailing zeros."""
    value = Decimal(amount).scaleb(-_PLACES, _EXACT)
    return Decimal(fixed(value))


def fixed(value: Decimal) -> str:
    """``value`` as a fixed-point number token: ``0.0000171``, never ``1.71E-5``."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def token(amount: int) -> str:
    """Nano-dollars as the JSON number token of their dollars."""
    return fixed(Decimal(amount).scaleb(-_PLACES, _EXACT))


def parse(value: object, *, field: str = "amount", allow_zero: bool = False) -> Decimal:
    """Exact dollars from input: a JSON number (``int`` or ``Decimal``) or a plain decimal string.

    Bounds: more than 0 (or 0 where ``allow_zero``), at most 10,000,000 USD, at most 9 decimals.
    Raises ``InvalidAmount`` naming ``field``.
    """
    number = _number(value, field)
    if not number.is_finite():
        raise InvalidAmount(field, "must be a finite number of US dollars, for example 12.50.")
    if number < 0 or (number == 0 and not allow_zero):
        raise InvalidAmount(field, "must be greater than 0 US dollars.")
    if number > MAX_AMOUNT:
        raise InvalidAmount(field, "must be at most 10,000,000 US dollars.")
    if number.quantize(_STEP, context=Context(prec=60)) != number:
        raise InvalidAmount(field, "must have at most 9 decimal places (nano-dollars).")
    return Decimal(fixed(number))


def parse_nanos(value: object, *, field: str = "amount", allow_zero: bool = False) -> int:
    """``parse`` followed by ``nanos``: what operations take."""
    return nanos(parse(value, field=field, allow_zero=allow_zero))


def _number(value: object, field: str) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > MAX_AMOUNT:
            value = int(MAX_AMOUNT) + 1 if value > 0 else -1
        return Decimal(value)
    if isinstance(value, str) and (_TEXT.fullmatch(value) or _OUT_OF_BOUNDS.fullmatch(value)):
        return Decimal(value)
    raise InvalidAmount(
        field,
        "must be a number of US dollars such as 12.50 "
        "(digits, a point, at most 9 decimals; no sign, comma, exponent or currency sign).",
    )


def display(amount: int) -> str:
    """Nano-dollars for a screen: ``$1,234.50``; every digit that counts where less than a cent."""
    sign, size = ("-", -amount) if amount < 0 else ("", amount)
    value = Decimal(size).scaleb(-_PLACES, _EXACT)
    if size % (NANO // 100) == 0:
        return f"{sign}${value:,.2f}"
    if size < NANO // 100:
        return f"{sign}${fixed(value)}"
    whole, _, decimals = fixed(value).partition(".")
    return f"{sign}${int(whole):,}.{decimals.ljust(2, '0')}"
