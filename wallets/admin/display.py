"""How money looks in lists and on pages."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin

from keeptrusts.lib import money

NOTHING = "–"


def dollars(amount: int | None) -> str:
    """Exact nano-dollars as ``$1,234.50``; at least two digits after the point."""
    if amount is None:
        return NOTHING
    whole, _, rest = money.token(abs(amount)).partition(".")
    sign = "-" if amount < 0 else ""
    return f"{sign}${int(whole):,}.{rest:<02}"


def column(name: str, label: str = "", *, sortable: bool = True) -> Callable[[Any], str]:
    """A column that shows the nano-dollars in attribute ``name`` as dollars."""

    @admin.display(description=label or name.replace("_", " "), ordering=name if sortable else None)
    def shown(row: Any) -> str:
        return dollars(getattr(row, name))

    shown.__name__ = f"{name}_dollars"
    return shown
