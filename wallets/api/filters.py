"""Filters that take what /v1 shows: public ids and dollars."""

from datetime import datetime
from typing import Any

from django import forms
from django_filters import rest_framework as filters
from django_filters.fields import IsoDateTimeField
from rest_framework.exceptions import ValidationError

from keeptrusts.lib import money
from keeptrusts.lib.rest.fields import bounded


class PublicIdFilter(filters.CharFilter):
    """Equal to a public id; ``prefix`` is what the column leaves out (``team_`` of a slug)."""

    def __init__(self, *args: Any, prefix: str = "", **kwargs: Any) -> None:
        self.prefix = prefix
        super().__init__(*args, **kwargs)

    def filter(self, qs: Any, value: Any) -> Any:
        """Rows with this id."""
        return super().filter(qs, value.removeprefix(self.prefix) if value else value)


class MomentFormField(IsoDateTimeField):
    """A time of ISO 8601 that every database and time zone can calculate with."""

    def clean(self, value: Any) -> datetime | None:
        """An aware time; None when empty."""
        try:
            found: datetime | None = super().clean(value)
            return None if found is None else bounded(found)
        except (OverflowError, ValidationError):
            raise forms.ValidationError("must be a time between 1970 and 2200.") from None


class MomentFilter(filters.IsoDateTimeFilter):
    """A time, for example ``2026-04-01T00:00:00Z``."""

    field_class = MomentFormField


class DollarsFormField(forms.CharField):
    """Dollars as text, nano-dollars inside."""

    def clean(self, value: Any) -> int | None:
        """Whole nano-dollars; None when empty."""
        text = super().clean(value)
        if not text:
            return None
        try:
            return money.parse_nanos(text, field="amount", allow_zero=True)
        except money.InvalidAmount as error:
            raise forms.ValidationError(error.message, code=error.code) from None


class DollarsFilter(filters.Filter):
    """An amount of dollars, handed on as nano-dollars."""

    field_class = DollarsFormField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.extra.setdefault("max_length", 30)
