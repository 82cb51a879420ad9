"""How books become table rows: the columns each statement writes, once for both engines."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from wallets.ledger import packing
from wallets.ledger.books import Books, Place, ReservationRow
from wallets.ledger.operations import CounterUse, Extend
from wallets.ledger.store import RANK_OF


@dataclass(frozen=True, slots=True)
class Column:
    """A column and the PostgreSQL type its values travel as; ``json`` ones travel as text."""

    name: str
    pg: str = "bigint"
    json: bool = False


def _columns(*specs: str) -> tuple[Column, ...]:
    columns = []
    for spec in specs:
        name, _, pg = spec.partition(":")
        columns.append(Column(name, "text" if pg == "json" else pg or "bigint", pg == "json"))
    return tuple(columns)


ENTRY = _columns(
    "organization_id", "wallet_id", "seq", "type:text", "d_posted", "d_reserved", "d_debt",
    "posted_after", "reserved_after", "debt_after", "contra:text", "actor:text", "reason:text",
    "transfer:uuid", "reservation:uuid", "part:smallint", "reference:text", "notes:text",
    "provider:text", "model:text",
)  # fmt: skip
OPENED = _columns(
    "id:uuid", "organization_id", "wallet_id", "kind:text", "state:text", "amount",
    "parts:smallint", "checkpoint", "charged", "written_off", "adjusted", "adjustments:smallint",
    "request_id:text", "team_id", "user_id", "consumer_group_id", "key_id", "provider:text",
    "model:text", "facts:json", "counters:json",
)  # fmt: skip
CHANGED = _columns(
    "id:uuid", "state:text", "amount", "parts:smallint", "checkpoint", "cost", "charged",
    "written_off", "adjusted", "adjustments:smallint",
)  # fmt: skip
COUNTER = _columns("key:text", "held", "spent")
WALLET = _columns(
    "id", "posted", "reserved", "debt", "seq", "total_allocated", "total_spent", "funded_balance"
)
NEW_COUNTER = _columns(
    "key:text", "organization_id", "period_start:timestamptz", "team_id", "user_id", "key_id",
    "consumer_group_id", "paid_by", "not_paid_by",
)  # fmt: skip
CONSUMED = (
    "SELECT coalesce(sum(CASE WHEN r.state = 'held' THEN r.amount ELSE r.charged END), 0) "
    "FROM wallets_reservation r WHERE r.organization_id = v.organization_id "
    "AND r.created_at >= v.period_start AND r.kind = 'usage' "
    "AND (v.team_id IS NULL OR r.team_id = v.team_id) "
    "AND (v.user_id IS NULL OR r.user_id = v.user_id) "
    "AND (v.key_id IS NULL OR r.key_id = v.key_id) "
    "AND (v.consumer_group_id IS NULL OR r.consumer_group_id = v.consumer_group_id) "
    "AND (v.paid_by IS NULL OR r.wallet_id = v.paid_by) "
    "AND (v.not_paid_by IS NULL OR r.wallet_id <> v.not_paid_by)"
)
"""What a new counter starts with: everything consumed in its period before it existed."""
WAITER = _columns(
    "id:uuid", "organization_id", "wallet_id", "part:smallint", "amount", "reason:text",
    "payload:json", "process:text",
)  # fmt: skip
LOT = _columns("organization_id", "wallet_id", "seq", "amount", "expires_at:timestamptz")

Rows = list[tuple[Any, ...]]


def reservation_row(row: tuple[Any, ...], counters: list[str]) -> ReservationRow:
    """A locked reservation from ``RESERVATION_COLUMNS`` + now, heartbeat_at, expires_at."""
    (
        id_, organization, wallet, scope, kind, state, amount, parts, checkpoint,
        cost, charged, written_off, adjusted, adjustments, provider, model, _,
        now, heartbeat_at, expires_at,
    ) = row  # fmt: skip
    return ReservationRow(
        id=id_, organization_id=organization, wallet_id=wallet, wallet_rank=RANK_OF[scope],
        kind=kind, state=state, amount=amount, parts=parts, checkpoint=checkpoint, cost=cost,
        charged=charged, written_off=written_off, adjusted=adjusted, adjustments=adjustments,
        provider=provider, model=model, counters=counters, now=now, heartbeat_at=heartbeat_at,
        expires_at=expires_at,
    )  # fmt: skip


def split(rows: Rows, *, scope: int = 3) -> tuple[Rows, dict[UUID, Place]]:
    """Reservations, and the places that came with them: those have no ``scope``."""
    places = {
        id: Place(id, row[1], row[5] == "dismissed")
        for row in rows
        if row[scope] is None
        for id in [row[0] if isinstance(row[0], UUID) else UUID(row[0])]
    }
    return [row for row in rows if row[scope] is not None], places


def entry_rows(books: Books) -> Rows:
    """Columns ``ENTRY``."""
    return [
        (
            e.organization_id, e.wallet_id, e.seq, e.type, e.d_posted, e.d_reserved, e.d_debt,
            e.posted_after, e.reserved_after, e.debt_after, e.contra, e.actor, e.reason,
            e.transfer, e.reservation, e.part, e.reference, e.notes, e.provider, e.model,
        )
        for e in books.entries
    ]  # fmt: skip


def opened_rows(books: Books) -> Rows:
    """Columns ``OPENED`` and the time to live in seconds (None: never expires)."""
    return [
        (
            r.id, r.organization_id, r.wallet_id, r.kind, r.state, r.amount, r.parts,
            r.checkpoint, r.charged, r.written_off, r.adjusted, r.adjustments, r.request_id,
            r.team_id, r.user_id, r.consumer_group_id, r.key_id, r.provider, r.model,
            _json(r.facts), _json(r.counters), r.ttl_seconds,
        )
        for r in books.reservations.values()
        if r.new
    ]  # fmt: skip


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def changed_rows(books: Books) -> Rows:
    """Columns ``CHANGED`` and the new time to live where a heartbeat came in."""
    return [
        (
            r.id, r.state, r.amount, r.parts, r.checkpoint, r.cost, r.charged,
            r.written_off, r.adjusted, r.adjustments, r.ttl_seconds if r.beaten else None,
        )
        for r in books.reservations.values()
        if r.touched and not r.new
    ]  # fmt: skip


def counter_rows(books: Books) -> Rows:
    """Columns ``COUNTER``."""
    return [(c.key, c.held, c.spent) for c in books.counters.values() if c.touched]


def wallet_rows(books: Books) -> Rows:
    """Columns ``WALLET``."""
    return [
        (
            w.id, w.posted, w.reserved, w.debt, w.seq,
            w.total_allocated, w.total_spent, w.funded_balance,
        )
        for w in books.wallets.values()
        if w.touched
    ]  # fmt: skip


def lot_rows(books: Books) -> Rows:
    """Columns ``LOT``."""
    return [
        (wallet.organization_id, wallet.id, seq, amount, expires_at)
        for wallet, seq, amount, expires_at in books.lots
    ]


def waiter_rows(books: Books) -> Rows:
    """Columns ``WAITER`` and the lease in seconds, by id."""
    return [
        (
            w.operation.id, w.operation.organization_id, w.wallet_id,
            w.operation.part if isinstance(w.operation, Extend) else 0,
            w.operation.amount, w.reason, _json(packing.packed(w.operation)),
            w.waiting.process[:120], w.waiting.lease.total_seconds(),
        )
        for w in sorted(books.wants, key=lambda want: want.operation.id)
    ]  # fmt: skip


def new_counter_rows(uses: list[CounterUse]) -> Rows:
    """Columns ``NEW_COUNTER``."""
    return [tuple(getattr(use, column.name) for column in NEW_COUNTER) for use in uses]
