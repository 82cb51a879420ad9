"""CSV of what a list shows, streamed row by row, and noted in the audit log."""

import csv
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse

from wallets import audit
from wallets.staff import actor_of

Column = tuple[str, Callable[[Any], Any]]

CHUNK = 2_000
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class _Echo:
    """A file that hands every line straight back."""

    def write(self, line: str) -> str:
        return line


def export_csv(
    model_admin: "admin.ModelAdmin[Any]", request: HttpRequest, rows: "QuerySet[Any]"
) -> StreamingHttpResponse:
    """The rows of the list, newest filter and search included."""
    name = str(model_admin.opts.verbose_name_plural).replace(" ", "-")
    organizations = rows.order_by().values_list("organization_id", flat=True).distinct()
    actor = actor_of(request)
    for organization in organizations:
        audit.record(
            organization=organization,
            actor=actor.public_id,
            action="export.csv",
            target=name,
            after={"query": request.GET.urlencode()},
            address=actor.address,
        )
    columns: tuple[Column, ...] = model_admin.export_columns  # type: ignore[attr-defined]
    return StreamingHttpResponse(
        _lines(rows, columns),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )


export_csv.short_description = "Export the selected rows as CSV"  # type: ignore[attr-defined]


def _lines(rows: "QuerySet[Any]", columns: Iterable[Column]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    columns = tuple(columns)
    yield writer.writerow([title for title, _ in columns])
    for row in rows.iterator(chunk_size=CHUNK):
        yield writer.writerow([cell(value(row)) for _, value in columns])


def cell(value: Any) -> Any:
    """A text that a spreadsheet would run as a formula gets an apostrophe in front."""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return value
