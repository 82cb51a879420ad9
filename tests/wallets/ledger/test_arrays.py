"""Array literals reach PostgreSQL as the values they were made of."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from wallets.ledger import prepared
from wallets.ledger.arrays import literal, literals

pytestmark = pytest.mark.django_db

HOSTILE = [
    *("", " ", "plain", "NULL", "null", "{}", "a,b", 'say "so"', "back\\slash", "\\", '"', "{a}"),
    *("line\nbreak", "tab\t", "'; DROP TABLE wallets_entry; --", "$1 %s %%", "żółć 漢字 🦊"),
]


def stored(type: str, values: list[Any]) -> list[Any]:
    """What PostgreSQL makes of the literal."""
    cursor = prepared.cursor(connection)
    cursor.execute(f"SELECT v FROM unnest(%s::{type}[]) AS v", [literal(type, values)])
    return [row[0] for row in cursor.fetchall()]


@pytest.mark.postgres_only
@pytest.mark.parametrize("text", [*HOSTILE, None])
def test_a_text_arrives_as_it_was(text: str | None) -> None:
    assert stored("text", [text, "between", text]) == [text, "between", text]


@pytest.mark.postgres_only
def test_numbers_ids_and_times_arrive_as_they_were() -> None:
    id = UUID("0190b2c8-1111-7abc-8def-0123456789ab")
    at = datetime(2026, 3, 1, 12, 30, 0, 123456, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert stored("bigint", [-(2**63), 0, None, 2**63 - 1]) == [-(2**63), 0, None, 2**63 - 1]
    assert stored("float8", [0.1, None]) == [0.1, None]
    assert stored("uuid", [id, None]) == [id, None]
    assert [value.astimezone(UTC) for value in stored("timestamptz", [at])] == [at]


def test_every_column_becomes_one_literal() -> None:
    rows = [(1, "a"), (None, "b"), (3, None)]
    assert literals(("bigint", "text"), rows) == ["{1,NULL,3}", '{"a","b",NULL}']


def test_rows_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        literals(("bigint",), [(1,), (2, 3)])
