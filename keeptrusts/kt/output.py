"""How `kt` writes: amounts, percentages, tables, JSON with exact numbers."""

import json
import sys
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import typer

from keeptrusts.lib import money

PERCENT_DIGITS = 3


def line(text: str = "") -> None:
    """One line on stdout, at once."""
    typer.echo(text)
    sys.stdout.flush()


def dollars(amount: Decimal | int | None) -> str:
    """US dollars for people: `$499.98`; every digit that counts, so that nothing small shows as
    $0.00."""
    return "-" if amount is None else money.display(money.nanos(Decimal(amount)))


def percent(value: Decimal | int | None) -> str:
    """`12.5%`, `0.0%`; below one per cent three significant digits: `0.004%`, `0.00000342%`."""
    if value is None:
        return "-"
    number = Decimal(value)
    if number == 0 or abs(number) >= 1:
        return f"{number:.1f}%"
    places = PERCENT_DIGITS - 1 - number.adjusted()
    return f"{money.fixed(round(number, places))}%"


def count(number: int, noun: str) -> str:
    """`1 request`, `39 tokens`, `1,234 tokens`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()
) -> None:
    """Aligned columns without rules: the same on a screen and in a pipe; `right` columns align
    right."""
    widths = [max(len(row[i]) for row in (headers, *rows)) for i in range(len(headers))]
    for row in (headers, *rows):
        cells = [
            cell.rjust(width) if header in right else cell.ljust(width)
            for header, cell, width in zip(headers, row, widths, strict=True)
        ]
        line("  ".join(cells).rstrip())


def plain(value: Any) -> str:
    """A value as one word of text; amounts in fixed point."""
    return money.fixed(value) if isinstance(value, Decimal) else str(value)


def as_json(value: Any, *, indent: bool = True) -> str:
    """JSON in which a Decimal is a fixed-point number token: `0.0000171`, never `1.71e-05`."""
    return "".join(_tokens(value, 0 if indent else None))


def _tokens(value: Any, depth: int | None) -> list[str]:
    deeper = None if depth is None else depth + 1
    if isinstance(value, dict):
        items = [[f"{json.dumps(str(k))}: ", *_tokens(v, deeper)] for k, v in value.items()]
        return _block("{", items, "}", depth)
    if isinstance(value, list | tuple):
        return _block("[", [_tokens(item, deeper) for item in value], "]", depth)
    if isinstance(value, Decimal):
        return [money.fixed(value)]
    return [json.dumps(value, ensure_ascii=False)]


def _block(opening: str, items: list[list[str]], closing: str, depth: int | None) -> list[str]:
    if not items:
        return [opening, closing]
    between, end = (
        (", ", "") if depth is None else (",\n" + "  " * (depth + 1), "\n" + "  " * depth)
    )
    parts = [opening, between[1:] if depth is not None else ""]
    for number, item in enumerate(items):
        parts += [between if number else "", *item]
    return [*parts, end, closing]
