"""The ledger's statements on PostgreSQL: arrays in, rows out, all writes in one statement.

Plain SQL because the ORM would need a statement per row (or per column) here. Values travel as
bound array parameters; only column names of this file are put into the text.
"""

import json
from typing import Any
from uuid import UUID

from django.db.backends.base.base import BaseDatabaseWrapper

from wallets.ledger.arrays import literal, literals
from wallets.ledger.books import Books, CounterRow, Place, ReservationRow, WaiterRow, WalletRow
from wallets.ledger.line import PATIENCE
from wallets.ledger.operations import CounterUse
from wallets.ledger.prepared import cursor
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


def _unnest(columns: tuple[Column, ...]) -> str:
    arrays = ", ".join(f"%s::{column.pg}[]" for column in columns)
    return f"unnest({arrays}) AS v({', '.join(column.name for column in columns)})"


def _names(columns: tuple[Column, ...]) -> str:
    return ", ".join(column.name for column in columns)


def _values(columns: tuple[Column, ...]) -> str:
    return ", ".join(
        f"v.{column.name}::jsonb" if column.json else f"v.{column.name}" for column in columns
    )


_ENTRIES = (
    f"INSERT INTO wallets_entry ({_names(ENTRY)}, created_at) "
    f"SELECT {_values(ENTRY)}, clock_timestamp() FROM {_unnest(ENTRY)}"
)
_OPEN = (
    f"INSERT INTO wallets_reservation ({_names(OPENED)}, created_at, heartbeat_at, expires_at) "
    f"SELECT {_values(OPENED)}, clock_timestamp(), clock_timestamp(), "
    f"clock_timestamp() + make_interval(secs => v.ttl) "
    f"FROM {_unnest((*OPENED, Column('ttl', 'float8')))}"
)
_CHANGE = (
    "UPDATE wallets_reservation AS r SET state = v.state, amount = v.amount, parts = v.parts, "
    "checkpoint = v.checkpoint, cost = v.cost, charged = v.charged, written_off = v.written_off, "
    "adjusted = v.adjusted, adjustments = v.adjustments, "
    "closed_at = CASE WHEN v.state = 'held' THEN NULL "
    "ELSE coalesce(r.closed_at, clock_timestamp()) END, "
    "heartbeat_at = CASE WHEN v.ttl IS NULL THEN r.heartbeat_at ELSE clock_timestamp() END, "
    "expires_at = CASE WHEN v.ttl IS NULL THEN r.expires_at "
    "ELSE clock_timestamp() + make_interval(secs => v.ttl) END "
    f"FROM {_unnest((*CHANGED, Column('ttl', 'float8')))} WHERE r.id = v.id"
)
_COUNTERS = (
    "UPDATE wallets_limitcounter AS c SET held = v.held, spent = v.spent "
    f"FROM {_unnest(COUNTER)} WHERE c.key = v.key"
)
_WALLETS = (
    "UPDATE wallets_wallet AS w SET "
    + ", ".join(f"{column.name} = v.{column.name}" for column in WALLET[1:])
    + f" FROM {_unnest(WALLET)} WHERE w.id = v.id"
)
_LOTS = f"INSERT INTO wallets_creditlot ({_names(LOT)}) SELECT {_values(LOT)} FROM {_unnest(LOT)}"

_NEW_COUNTERS = (
    "INSERT INTO wallets_limitcounter (key, organization_id, period_start, held, spent) "
    f"SELECT v.key, v.organization_id, v.period_start, 0, ({CONSUMED}) FROM {_unnest(NEW_COUNTER)} "
    "ORDER BY v.key ON CONFLICT DO NOTHING"
)

_RESERVATIONS = (
    f"WITH held AS (SELECT {RESERVATION_COLUMNS}, clock_timestamp(), r.heartbeat_at, r.expires_at "
    "FROM wallets_reservation r JOIN wallets_wallet w ON w.id = r.wallet_id "
    "WHERE r.id = ANY(%s::uuid[]) ORDER BY r.id FOR UPDATE OF r) "
    f"SELECT * FROM held UNION ALL SELECT {PLACE_COLUMNS} FROM wallets_waiter q "
    "WHERE q.id = ANY(%s::uuid[])"
)
_LEASE = Column("lease", "float8")
_WAITERS = (
    f"SELECT {WAITER_COLUMNS}, since <= clock_timestamp() - interval '{PATIENCE}' "
    "FROM wallets_waiter WHERE wallet_id = ANY(%s::bigint[]) AND NOT dismissed "
    "AND lease_until > clock_timestamp() ORDER BY part = 0, id"
)
_LEAVE = (
    "DELETE FROM wallets_waiter WHERE id IN (SELECT id FROM wallets_waiter "
    "WHERE id = ANY(%s::uuid[]) ORDER BY id FOR UPDATE)"
)
_WAIT = (
    f"WITH kept AS (INSERT INTO wallets_waiter AS q ({_names(WAITER)}, dismissed, since, "
    f"lease_until) SELECT {_values(WAITER)}, false, clock_timestamp(), "
    f"clock_timestamp() + make_interval(secs => v.lease) FROM {_unnest((*WAITER, _LEASE))} "
    "ORDER BY v.id ON CONFLICT (id) DO UPDATE SET wallet_id = excluded.wallet_id, "
    "part = excluded.part, amount = excluded.amount, reason = excluded.reason, "
    "payload = excluded.payload, process = excluded.process, lease_until = excluded.lease_until "
    "WHERE q.organization_id = excluded.organization_id RETURNING wallet_id, lease_until) "
    "UPDATE wallets_wallet AS w SET waiting_until = greatest(w.waiting_until, k.until) "
    "FROM (SELECT wallet_id, max(lease_until) AS until FROM kept GROUP BY wallet_id) AS k "
    "WHERE w.id = k.wallet_id"
)
_WAITER_TYPES = [column.pg for column in (*WAITER, _LEASE)]
_TTL = Column("ttl", "float8")
_WRITES = tuple(
    (name, sql, [column.pg for column in columns])
    for name, sql, columns in (
        ("opened", _OPEN, (*OPENED, _TTL)),
        ("changed", _CHANGE, (*CHANGED, _TTL)),
        ("booked", _ENTRIES, ENTRY),
        ("lots", _LOTS, LOT),
        ("counted", _COUNTERS, COUNTER),
        ("moved", _WALLETS, WALLET),
    )
)
_NEW_COUNTER_TYPES = [column.pg for column in NEW_COUNTER]


class PostgresStore:
    """See ``wallets.ledger.store.Store``."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._cursor = cursor(connection)

    def _all(self, sql: str, params: list[str]) -> list[tuple[Any, ...]]:
        self._cursor.execute(sql, params)
        return list(self._cursor.fetchall())

    def claim(self, rows: list[tuple[str, int, str]]) -> dict[str, StoredClaim]:
        """Waits for an in-flight twin; a twin that failed leaves the key to us."""
        keys, organizations, fingerprints = literals(("text", "bigint", "text"), rows)
        self._cursor.execute(
            "INSERT INTO wallets_claim (key, organization_id, fingerprint, created_at) "
            "SELECT v.key, v.organization_id, v.fingerprint, clock_timestamp() "
            "FROM unnest(%s::text[], %s::bigint[], %s::text[]) "
            "AS v(key, organization_id, fingerprint) ORDER BY v.key ON CONFLICT DO NOTHING",
            [keys, organizations, fingerprints],
        )
        found = self._all(
            "SELECT key, organization_id, fingerprint, result FROM wallets_claim "
            "WHERE key = ANY(%s::text[]) AND result IS NOT NULL ORDER BY key FOR UPDATE",
            [keys],
        )
        return {
            key: (owner, fingerprint, _json(result)) for key, owner, fingerprint, result in found
        }

    def lock_reservations(
        self, ids: list[UUID]
    ) -> tuple[dict[UUID, ReservationRow], dict[UUID, Place]]:
        """Locked in id order; the wallet's scope never changes, so it is read without a lock."""
        named = literal("uuid", ids)
        rows, places = split(self._all(_RESERVATIONS, [named, named]))
        return {row[0]: reservation_row(row, _json(row[16])) for row in rows}, places

    def lock_counters(self, uses: list[CounterUse], keys: list[str]) -> dict[str, CounterRow]:
        """Created and locked in key order."""
        self._create_counters(uses)
        rows = self._all(
            "SELECT key, held, spent FROM wallets_limitcounter "
            "WHERE key = ANY(%s::text[]) ORDER BY key FOR UPDATE",
            [literal("text", keys)],
        )
        return {row[0]: CounterRow(*row) for row in rows}

    def _create_counters(self, uses: list[CounterUse]) -> None:
        if not uses:
            return
        known = self._all(
            "SELECT key FROM wallets_limitcounter WHERE key = ANY(%s::text[])",
            [literal("text", [use.key for use in uses])],
        )
        existing = {row[0] for row in known}
        new = [use for use in uses if use.key not in existing]
        if new:
            self._cursor.execute(_NEW_COUNTERS, literals(_NEW_COUNTER_TYPES, new_counter_rows(new)))

    def lock_wallets(self, ids: list[int]) -> dict[int, WalletRow]:
        """Locked in id order within a rank."""
        rows = self._all(
            f"SELECT {WALLET_COLUMNS}, coalesce(waiting_until > clock_timestamp(), false) "
            "FROM wallets_wallet WHERE id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE",
            [literal("bigint", ids)],
        )
        return {row[0]: WalletRow(*row) for row in rows}

    def waiters(self, wallet_ids: list[int]) -> list[WaiterRow]:
        """Read under the locks of their wallets, so nobody joins meanwhile."""
        rows = self._all(_WAITERS, [literal("bigint", wallet_ids)])
        return [WaiterRow(*row) for row in rows]

    def references(
        self, keys: list[tuple[str, str]]
    ) -> dict[tuple[str, str], tuple[int, int, int]]:
        """Looked up under the wallet locks, so a booking cannot slip in between."""
        rows = self._all(
            "SELECT e.type, e.reference, e.wallet_id, e.seq, e.d_posted - e.d_debt "
            "FROM wallets_entry e "
            "JOIN unnest(%s::text[], %s::text[]) AS v(type, reference) "
            "ON e.type = v.type AND e.reference = v.reference",
            literals(("text", "text"), keys),
        )
        return {(row[0], row[1]): (row[2], row[3], row[4]) for row in rows}

    def finish_claims(self, kept: list[tuple[str, dict[str, Any]]], freed: list[str]) -> None:
        """Results of successes stay, keys of refusals are free again."""
        if kept:
            stored = [(key, json.dumps(result)) for key, result in kept]
            self._cursor.execute(
                "UPDATE wallets_claim AS c SET result = v.result::jsonb "
                "FROM unnest(%s::text[], %s::text[]) AS v(key, result) WHERE c.key = v.key",
                literals(("text", "text"), stored),
            )
        if freed:
            self._cursor.execute(
                "DELETE FROM wallets_claim WHERE key = ANY(%s::text[])", [literal("text", freed)]
            )

    def write(self, books: Books) -> None:
        """All tables in one statement: the constraint triggers look at commit."""
        rows = (
            opened_rows(books),
            changed_rows(books),
            entry_rows(books),
            lot_rows(books),
            counter_rows(books),
            wallet_rows(books),
        )
        parts: list[tuple[str, str]] = []
        params: list[str] = []
        for (name, sql, types), values in zip(_WRITES, rows, strict=True):
            if values:
                parts.append((name, sql))
                params += literals(types, values)
        if parts:
            self._cursor.execute(_joined(parts), params)
        self._write_line(books)

    def _write_line(self, books: Books) -> None:
        """Places given up, then places taken or kept; wallets learn until when to look."""
        if books.left:
            self._cursor.execute(_LEAVE, [literal("uuid", sorted(books.left))])
        if books.wants:
            self._cursor.execute(_WAIT, literals(_WAITER_TYPES, waiter_rows(books)))


def _joined(parts: list[tuple[str, str]]) -> str:
    """``WITH a AS (…), b AS (…) c``: the writes of ``parts``, which touch a table each."""
    before = ", ".join(f"{name} AS ({sql})" for name, sql in parts[:-1])
    return f"WITH {before} {parts[-1][1]}" if before else parts[-1][1]


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str | bytes) else value
