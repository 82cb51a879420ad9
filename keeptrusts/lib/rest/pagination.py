"""Keyset pages: stable under inserts, no COUNT, every page costs the same."""

import base64
import binascii
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import orjson
from django.core.exceptions import ValidationError as InvalidValue
from django.db.models import Field, Model, Q, QuerySet
from rest_framework import serializers
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from keeptrusts.lib.rest.fields import YEARS

DEFAULT_LIMIT, MAX_LIMIT, MAX_CURSOR = 50, 200, 2000
FORWARD, BACKWARD = "f", "b"


class KeysetPagination(BasePagination):
    """``{"results", "next", "previous"}``; ``next`` and ``previous`` are links or null.

    The view says its order in ``keyset``: field names that together are unique, all ascending or
    (``-``) all descending.
    """

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """The rows of the page that ``limit`` and ``cursor`` of the request ask for."""
        self.url = request.build_absolute_uri()
        self.fields: Sequence[str] = view.keyset
        limit = _limit(request.query_params.get("limit"))
        direction, values = self._position(queryset.model, request.query_params.get("cursor"))
        rows = self._rows(queryset, direction, values, limit + 1)
        more = len(rows) > limit
        rows = rows[:limit]
        if direction == BACKWARD:
            rows.reverse()
        self.has_next = more if direction == FORWARD else True
        self.has_previous = bool(values) if direction == FORWARD else more
        self.page = rows
        return rows

    def get_paginated_response(self, data: Any) -> Response:
        """The page with its links."""
        return Response({"results": data, "next": self._next(), "previous": self._previous()})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """What a page looks like."""
        link = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "required": ["results", "next", "previous"],
            "properties": {"results": schema, "next": link, "previous": link},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """The parameters every list takes."""
        limit = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
        return [
            {"name": "limit", "in": "query", "schema": limit, "description": "Rows a page."},
            {
                "name": "cursor", "in": "query", "schema": {"type": "string"},
                "description": "Where a page begins; take it from next or previous.",
            },
        ]  # fmt: skip

    def _rows(
        self, queryset: QuerySet[Any], direction: str, values: list[Any], count: int
    ) -> list[Any]:
        ordering = list(self.fields)
        if direction == BACKWARD:
            ordering = [_reversed(name) for name in ordering]
        if values:
            queryset = queryset.filter(_beyond(ordering, values))
        return list(queryset.order_by(*ordering)[:count])

    def _position(self, model: type[Model], cursor: str | None) -> tuple[str, list[Any]]:
        if not cursor:
            return FORWARD, []
        names = [name.removeprefix("-") for name in self.fields]
        try:
            padded = cursor + "=" * (-len(cursor) % 4)
            direction, *texts = orjson.loads(
                base64.b64decode(padded.encode("ascii"), b"-_", validate=True)
            )
            if len(cursor) > MAX_CURSOR or direction not in (FORWARD, BACKWARD):
                raise ValueError(cursor)
            values = [_typed(model, name, text) for name, text in zip(names, texts, strict=True)]
        except (ValueError, TypeError, binascii.Error, InvalidValue):
            raise _invalid("cursor", "is not one of ours: take it from next or previous.") from None
        return direction, values

    def _next(self) -> str | None:
        return self._link(FORWARD, self.page[-1]) if self.has_next and self.page else None

    def _previous(self) -> str | None:
        return self._link(BACKWARD, self.page[0]) if self.has_previous and self.page else None

    def _link(self, direction: str, row: Any) -> str:
        values = [_text(_value(row, name.removeprefix("-"))) for name in self.fields]
        cursor = base64.urlsafe_b64encode(orjson.dumps([direction, *values])).decode().rstrip("=")
        parts = urlsplit(self.url)
        query = [pair for pair in parse_qsl(parts.query) if pair[0] != "cursor"]
        return urlunsplit(parts._replace(query=urlencode([*query, ("cursor", cursor)])))


def _invalid(field: str, message: str) -> serializers.ValidationError:
    return serializers.ValidationError({field: [message]}, code=f"invalid_{field}")


def _limit(text: str | None) -> int:
    if not text:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and int(text)):
        raise _invalid("limit", f"must be a whole number from 1 to {MAX_LIMIT}.")
    return min(int(text), MAX_LIMIT)


def _beyond(ordering: list[str], values: list[Any]) -> Q:
    """Rows after ``values``; the outer comparison on the first field lets an index serve it."""
    operator = "lt" if ordering[0].startswith("-") else "gt"
    names = [name.removeprefix("-") for name in ordering]
    later = Q(**{f"{names[-1]}__{operator}": values[-1]})
    for name, value in zip(names[-2::-1], values[-2::-1], strict=True):
        later = Q(**{f"{name}__{operator}": value}) | Q(**{name: value}) & later
    if len(names) > 1:
        later &= Q(**{f"{names[0]}__{operator}e": values[0]})
    return later


def _reversed(name: str) -> str:
    return name[1:] if name.startswith("-") else f"-{name}"


def _value(row: Any, name: str) -> Any:
    for part in name.split("__"):
        row = getattr(row, part)
    return row


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def _typed(model: type[Model], name: str, text: Any) -> Any:
    if not isinstance(text, str) or "\x00" in text:
        raise ValueError(text)
    *path, last = name.split("__")
    for part in path:
        related = model._meta.get_field(part).related_model
        assert isinstance(related, type)
        model = related
    field = model._meta.get_field(last)
    assert isinstance(field, Field)
    value = field.to_python(text)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError(text)
    if isinstance(value, datetime) and (value.tzinfo is None or value.year not in YEARS):
        raise ValueError(text)
    return value
