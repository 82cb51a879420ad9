"""Sums of nano-dollars that cannot overflow, as SQLite's SUM over bigint does: in two parts."""

from typing import Any

from django.db.models import F, QuerySet, Sum
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from keeptrusts.lib.money import NANO


def parts(expression: str | Combinable) -> tuple[Any, Any]:
    """Two aggregates: whole dollars, and the nano-dollars that are left. Join with ``join``."""
    column = F(expression) if isinstance(expression, str) else expression
    return Coalesce(Sum(column / NANO), 0), Coalesce(Sum(column % NANO), 0)


def join(dollars: int | None, nanos: int | None) -> int:
    """The exact sum in nano-dollars."""
    return int(dollars or 0) * NANO + int(nanos or 0)


def total(rows: "QuerySet[Any]", expression: str | Combinable) -> int:
    """The exact sum of ``expression`` (nano-dollars) over ``rows``."""
    whole, rest = parts(expression)
    found = rows.aggregate(whole=whole, rest=rest)
    return join(found["whole"], found["rest"])
