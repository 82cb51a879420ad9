"""Statements that PostgreSQL parses and plans once per connection, not once per batch.

Whether the server keeps them is the connection's ``prepare_threshold`` (None behind a pooler that
cannot); values are bound on the server in any case.
"""

from functools import lru_cache
from itertools import count
from typing import Any

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from psycopg.types.datetime import TimestamptzLoader


class BoundCursor(psycopg.RawCursor[Any]):
    """Takes the project's ``%s``, sends ``$1``, ``$2`` …"""

    prepare = True

    def execute(self, query: Any, params: Any = None, **options: Any) -> "BoundCursor":
        """Run the statement, prepared where the connection allows it."""
        super().execute(_numbered(query), params, prepare=self.prepare, **options)
        return self


def cursor(connection: BaseDatabaseWrapper) -> CursorWrapper:
    """A cursor on Django's own connection, inside its transaction, its errors and its log."""
    connection.ensure_connection()
    own: Any = BoundCursor(connection.connection)
    # Django's loader turns every time into the connection's zone, in Python; any zone does here.
    own.adapters.register_loader("timestamptz", TimestamptzLoader)
    if connection.queries_logged:
        own.prepare = False  # the driver would not tell the log what it sent
        return connection.make_debug_cursor(own)
    return connection.make_cursor(own)


@lru_cache(maxsize=256)
def _numbered(query: str) -> str:
    parts = query.split("%s")
    numbers = count(1)
    return parts[0] + "".join(f"${next(numbers)}{part}" for part in parts[1:])
