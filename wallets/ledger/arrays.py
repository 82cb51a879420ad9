"""Columns as PostgreSQL array literals: one bound text per column, made by C string functions.

The driver would adapt every value by itself, in Python: with wide rows that cost as much as
everything else the ledger does.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID


def literals(types: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> list[str]:
    """One array literal per column of ``rows`` (at least one row); ``types`` as in ``literal``."""
    columns = zip(*rows, strict=True)
    return [literal(type, values) for type, values in zip(types, columns, strict=True)]


def literal(type: str, values: Sequence[Any]) -> str:
    """``{1,NULL,3}``: an array of the PostgreSQL type ``type``; None becomes NULL."""
    text = _TEXTS.get(type, str)
    # Most columns repeat few values: a text is made once per distinct one.
    texts = {value: "NULL" if value is None else text(value) for value in set(values)}
    return "{" + ",".join([texts[value] for value in values]) + "}"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _moment(value: datetime) -> str:
    return f'"{value.isoformat()}"'


def _hex(value: UUID) -> str:
    return value.hex


_TEXTS: dict[str, Callable[[Any], str]] = {
    "text": _quoted,
    "timestamptz": _moment,
    "uuid": _hex,
}
