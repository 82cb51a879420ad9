"""How money, times and people look in lists and on pages."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.utils import timezone
from django.utils.html import format_html

from keeptrusts.lib import money

NOTHING = "–"


def dollars(amount: int | None) -> str:
    """Exact nano-dollars as ``$1,234.50``; at least two digits after the point."""
    return NOTHING if amount is None else money.display(amount)


def column(name: str, label: str = "", *, sortable: bool = True) -> Callable[[Any], str]:
    """A column that shows the nano-dollars in attribute ``name`` as dollars."""

    @admin.display(description=label or name.replace("_", " "), ordering=name if sortable else None)
    def shown(row: Any) -> str:
        return dollars(getattr(row, name))

    shown.__name__ = f"{name}_dollars"
    return shown


def time(name: str, label: str) -> Callable[[Any], str]:
    """A column with date and time to the second, in UTC."""

    @admin.display(description=label, ordering=name)
    def shown(row: Any) -> str:
        value = getattr(row, name)
        if value is None:
            return NOTHING
        when = timezone.localtime(value)
        return format_html('<span class="day">{}</span> {}', f"{when:%Y-%m-%d}", f"{when:%H:%M:%S}")

    shown.__name__ = f"{name}_time"
    return shown


def person(name: str, label: str = "") -> Callable[[Any], str]:
    """A column with the public id in attribute ``name`` and, where it is known, whose it is.

    Names are put on the rows of a page by ``name_people``, all with one statement.
    """

    @admin.display(description=label or name.replace("_", " "))
    def shown(row: Any) -> str:
        public_id = getattr(row, name)
        known = getattr(row, NAMES, {}).get(public_id)
        if known is None:
            return public_id or NOTHING
        return format_html('{} <span class="id">{}</span>', known, public_id)

    shown.__name__ = f"{name}_person"
    return shown


NAMES = "_names_of_people"


def name_people(
    rows: Iterable[Any], columns: Sequence[str], names: Callable[[set[str]], Mapping[str, str]]
) -> None:
    """Ask ``names`` once for the user names of all ids in ``columns``, and note them."""
    rows = list(rows)
    ids = {getattr(row, column) for row in rows for column in columns} - {""}
    known = names(ids) if ids else {}
    for row in rows:
        setattr(row, NAMES, known)
