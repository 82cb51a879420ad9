"""Counts what the ledger sends to the database."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements of the block, without BEGIN and COMMIT."""
    sent: list[str] = []

    def note(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        sent.extend(part for part in sql.split("; ") if part)
        return execute(sql, *rest)

    with connection.execute_wrapper(note):
        yield sent
