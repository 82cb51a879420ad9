"""The ledger's statements on SQLite: one JSON array in, ``json_each`` makes rows of it.

``BEGIN IMMEDIATE`` has made us the only writer before the first statement runs, so reads here need
no locks of their own, and the machine's clock is the database's clock.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.backends.base.base import BaseDatabaseWrapper

from wallets.ledger.books import Books, CounterRow, Place, ReservationRow, WaiterRow, WalletRow
from wallets.ledger.line import PATIENCE
from wallets.ledger.operations import CounterUse
from wallets.ledger.rows import (
    CHANGED,
    CONSUMED,
    COUNTER,
    ENTRY,
    LOT,
    NEW_COUNTER,
    OPENED,
    WAITER,
    WALLET,
    Column,
    Rows,
    changed_rows,
    counter_rows,
    entry_rows,
    lot_rows,
    new_counter_rows,
    opened_rows,
    reservation_row,
    split,
    waiter_rows,
    wallet_rows,
)
from wallets.ledger.store import (
    PLACE_COLUMNS,
    RESERVATION_COLUMNS,
    WAITER_COLUMNS,
    WALLET_COLUMNS,
    StoredClaim,
)

_TIMES = (Column("created_at"), Column("heartbeat_at"), Column("expires_at"))
_BEAT = (Column("closed_at"), Column("heartbeat_at"), Column("expires_at"))


def _insert(table: str, columns: tuple[Column, ...]) -> str:
    names = ", ".join(column.name for column in columns)
    values = ", ".join(f"json_extract(value, '$[{i}]')" for i in range(len(columns)))
    return f"INSERT INTO {table} ({names}) SELECT {values} FROM json_each(%s) WHERE true"


def _select(columns: tuple[Column, ...]) -> str:
    values = ", ".join(f"json_extract(value, '$[{i}]') AS {c.name}" for i, c in enumerate(columns))
    return f"SELECT {values} FROM json_each(%s)"


def _update(table: str, columns: tuple[Column, ...], keep: frozenset[str] = frozenset()) -> str:
    """``keep``: columns that stay as they are where the new value is null."""
    sets = ", ".join(
        f"{column.name} = coalesce({_order(column.name)})"
        if column.name in keep
        else f"{column.name} = v.{column.name}"
        for column in columns[1:]
    )
    return (
        f"UPDATE {table} AS t SET {sets} FROM ({_select(columns)}) AS v "
        f"WHERE t.{columns[0].name} = v.{columns[0].name}"
    )


def _order(name: str) -> str:
    """``closed_at`` keeps its first time, heartbeats take the newest."""
    return f"t.{name}, v.{name}" if name == "closed_at" else f"v.{name}, t.{name}"


_KEEP = frozenset(column.name for column in _BEAT)
_ENTRIES = _insert("wallets_entry", (*ENTRY, Column("created_at")))
_OPEN = _insert("wallets_reservation", (*OPENED, *_TIMES))
_CHANGE = _update("wallets_reservation", (*CHANGED, *_BEAT), _KEEP)
_COUNTERS = _update("wallets_limitcounter", COUNTER)
_WALLETS = _update("wallets_wallet", WALLET)
_LOTS = _insert("wallets_creditlot", LOT)
_NEW_COUNTERS = (
    "INSERT INTO wallets_limitcounter (key, organization_id, period_start, held, spent) "
    f"SELECT v.key, v.organization_id, v.period_start, 0, ({CONSUMED}) "
    f"FROM ({_select(NEW_COUNTER)}) AS v WHERE true ON CONFLICT DO NOTHING"
)
_CLAIMS = _insert(
    "wallets_claim",
    tuple(Column(name) for name in ("key", "organization_id", "fingerprint", "created_at")),
)
_RESULTS = _update("wallets_claim", (Column("key"), Column("result")))

_STAY = (Column("dismissed"), Column("since"), Column("lease_until"))
_LEAVE = "DELETE FROM wallets_waiter WHERE id IN (SELECT value ->> 0 FROM json_each(%s))"
_WAIT = (
    f"{_insert('wallets_waiter', (*WAITER, *_STAY))} ON CONFLICT (id) DO UPDATE SET "
    "wallet_id = excluded.wallet_id, part = excluded.part, amount = excluded.amount, "
    "reason = excluded.reason, payload = excluded.payload, process = excluded.process, "
    "lease_until = excluded.lease_until "
    "WHERE wallets_waiter.organization_id = excluded.organization_id"
)
_LOOK = (
    "UPDATE wallets_wallet AS t SET waiting_until = v.until FROM (SELECT "
    "json_extract(value, '$[0]') AS id, max(json_extract(value, '$[1]')) AS until "
    "FROM json_each(%s) GROUP BY 1) AS v "
    "WHERE t.id = v.id AND coalesce(t.waiting_until, '') < v.until"
)


class SqliteStore:
    """See ``wallets.ledger.store.Store``."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection
        self.now = datetime.now(UTC)

    def _all(self, sql: str, values: list[Any]) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql, [_dumps(values)])
            return list(cursor.fetchall())

    def _run(self, sql: str, rows: Rows) -> None:
        if rows:
            with self.connection.cursor() as cursor:
                cursor.execute(sql, [_dumps(rows)])

    def claim(self, rows: list[tuple[str, int, str]]) -> dict[str, StoredClaim]:
        """Nobody else writes meanwhile."""
        self._run(f"{_CLAIMS} ON CONFLICT DO NOTHING", [(*row, self.now) for row in rows])
        found = self._all(
            "SELECT key, organization_id, fingerprint, result FROM wallets_claim "
            "WHERE result IS NOT NULL AND key IN (SELECT value FROM json_each(%s))",
            [row[0] for row in rows],
        )
        return {
            key: (owner, fingerprint, json.loads(result))
            for key, owner, fingerprint, result in found
        }

    def lock_reservations(
        self, ids: list[UUID]
    ) -> tuple[dict[UUID, ReservationRow], dict[UUID, Place]]:
        """Read under the database's write lock."""
        rows, places = split(
            self._all(
                "WITH named AS (SELECT value AS id FROM json_each(%s)) "
                f"SELECT {RESERVATION_COLUMNS}, NULL, r.heartbeat_at, r.expires_at "
                "FROM wallets_reservation r JOIN wallets_wallet w ON w.id = r.wallet_id "
                f"WHERE r.id IN named UNION ALL SELECT {PLACE_COLUMNS} FROM wallets_waiter q "
                "WHERE q.id IN named",
                list(ids),
            )
        )
        return {UUID(row[0]): self._reservation(row) for row in rows}, places

    def _reservation(self, row: tuple[Any, ...]) -> ReservationRow:
        times = (self.now, _time(row[18]), _time(row[19]))
        return reservation_row((UUID(row[0]), *row[1:17], *times), json.loads(row[16]))

    def lock_counters(self, uses: list[CounterUse], keys: list[str]) -> dict[str, CounterRow]:
        """Created where missing, then read."""
        rows = self._counters(keys)
        new = [use for use in uses if use.key not in rows]
        if new:
            self._run(_NEW_COUNTERS, new_counter_rows(new))
            rows = self._counters(keys)
        return rows

    def _counters(self, keys: list[str]) -> dict[str, CounterRow]:
        rows = self._all(
            "SELECT key, held, spent FROM wallets_limitcounter "
            "WHERE key IN (SELECT value FROM json_each(%s))",
            list(keys),
        )
        return {row[0]: CounterRow(*row) for row in rows}

    def lock_wallets(self, ids: list[int]) -> dict[int, WalletRow]:
        """Read under the database's write lock."""
        rows = self._all(
            f"SELECT {WALLET_COLUMNS}, coalesce(waiting_until > {self._moment()}, 0) "
            "FROM wallets_wallet WHERE id IN (SELECT value FROM json_each(%s))",
            list(ids),
        )
        return {row[0]: WalletRow(*row[:-2], *map(bool, row[-2:])) for row in rows}

    def waiters(self, wallet_ids: list[int]) -> list[WaiterRow]:
        """Read under the database's write lock."""
        rows = self._all(
            f"SELECT {WAITER_COLUMNS}, since <= {self._moment(-PATIENCE)} FROM wallets_waiter "
            f"WHERE NOT dismissed AND lease_until > {self._moment()} "
            "AND wallet_id IN (SELECT value FROM json_each(%s)) ORDER BY part = 0, id",
            list(wallet_ids),
        )
        return [
            WaiterRow(UUID(id), wallet, part, amount, bool(patient))
            for id, wallet, part, amount, patient in rows
        ]

    def _moment(self, later: timedelta = timedelta(0)) -> str:
        """A literal of our own making: nothing of it comes from outside."""
        return f"'{_text(self.now + later)}'"

    def references(
        self, keys: list[tuple[str, str]]
    ) -> dict[tuple[str, str], tuple[int, int, int]]:
        """Read under the database's write lock."""
        rows = self._all(
            "SELECT e.type, e.reference, e.wallet_id, e.seq, e.d_posted - e.d_debt "
            "FROM wallets_entry e "
            "JOIN json_each(%s) AS v ON e.type = json_extract(v.value, '$[0]') "
            "AND e.reference = json_extract(v.value, '$[1]')",
            list(keys),
        )
        return {(row[0], row[1]): (row[2], row[3], row[4]) for row in rows}

    def finish_claims(self, kept: list[tuple[str, dict[str, Any]]], freed: list[str]) -> None:
        """Results of successes stay, keys of refusals are free again."""
        self._run(_RESULTS, [(key, json.dumps(result)) for key, result in kept])
        if freed:
            with self.connection.cursor() as cursor:
                cursor.execute(
                    "DELETE FROM wallets_claim WHERE key IN (SELECT value FROM json_each(%s))",
                    [_dumps(freed)],
                )

    def write(self, books: Books) -> None:
        """One statement per table that changed."""
        now = self.now
        self._run(_OPEN, [(*r[:-1], now, now, self._after(r[-1])) for r in opened_rows(books)])
        self._run(_CHANGE, [self._changed(row) for row in changed_rows(books)])
        self._run(_ENTRIES, [(*row, now) for row in entry_rows(books)])
        self._run(_LOTS, lot_rows(books))
        self._run(_COUNTERS, counter_rows(books))
        self._run(_WALLETS, wallet_rows(books))
        self._write_line(books)

    def _write_line(self, books: Books) -> None:
        """Places given up, then places taken or kept; wallets learn until when to look."""
        self._run(_LEAVE, [(id,) for id in sorted(books.left)])
        rows = [
            (*row[:-1], False, self.now, self._after(row[-1])) for row in waiter_rows(books)
        ]  # fmt: skip
        self._run(_WAIT, rows)
        self._run(_LOOK, [(row[2], row[-1]) for row in rows])

    def _changed(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        *columns, ttl = row
        closed = None if columns[1] == "held" else self.now
        return (*columns, closed, self.now if ttl is not None else None, self._after(ttl))

    def _after(self, seconds: float | None) -> datetime | None:
        return None if seconds is None else self.now + timedelta(seconds=seconds)


def _dumps(value: object) -> str:
    """Not escaped: text that is no UTF-8 fails here; SQLite would store and never read it."""
    return json.dumps(value, default=_text, ensure_ascii=False)


def _text(value: object) -> str:
    """UUIDs and times as Django stores them on SQLite."""
    if isinstance(value, UUID):
        return value.hex
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ")
    raise TypeError(type(value).__name__)


def _time(value: str | datetime | None) -> datetime | None:
    """The driver may hand out text or naive times; both are UTC."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return None if value is None else value.replace(tzinfo=UTC)
