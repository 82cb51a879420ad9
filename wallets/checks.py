"""System checks of the database itself: `manage.py check --database default`, and every migrate."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

from wallets import triggers


@register(Tags.database)
def triggers_are_in_place(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """The append-only and balance triggers exist in every migrated database that is checked."""
    return [
        Error(
            f"The database {alias!r} lacks the trigger {name}.",
            hint="Run `manage.py migrate`: it installs the triggers that protect the ledger.",
            id="wallets.E001",
        )
        for alias in databases or ()
        if "wallets_entry" in connections[alias].introspection.table_names()
        for name in triggers.missing(alias)
    ]
