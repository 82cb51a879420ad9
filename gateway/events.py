"""Decision events on their way into the database: one per request, in the ledger's transaction.

An event rides on an operation as its attachment. When the batch is decided, ``write`` completes the
events with what the ledger decided and inserts all of them with one statement.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from gateway.idempotency import claims
from gateway.idempotency.claims import OwnedKey
from gateway.models import DecisionEvent
from wallets.ledger import Note, Operation, Reserve, Result

Pairs = list[tuple[Operation, Result]]

SWEPT = "swept"


@dataclass(slots=True, kw_only=True)
class Event:
    """A row of ``DecisionEvent``; the ledger's part (wallet, written_off) comes last."""

    id: str
    organization_id: int
    route: str
    verdict: str
    status: int
    created_at: datetime
    wallet_id: int | None = None
    reservation: UUID | None = None
    team_id: int | None = None
    user_id: int | None = None
    consumer_group_id: int | None = None
    consumer_group_name: str = ""
    key_id: int | None = None
    provider: str = ""
    target: str = ""
    model: str = ""
    reason_code: str = ""
    streamed: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usage: dict[str, int] = field(default_factory=dict)
    cost: int | None = None
    hold: int = 0
    written_off: int = 0
    estimated_avoided_cost: int = 0
    cache: str = "bypass"
    attempts: list[dict[str, Any]] = field(default_factory=list)
    latency_ms: int = 0
    ttfb_ms: int | None = None
    price_version: str = ""
    config_version: str = ""
    flags: list[str] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    end_user: str = ""
    _key: OwnedKey | None = None
    """Not a column, and not written with them: names that begin so are left out."""

    def carry(self, key: OwnedKey) -> None:
        """Write the end of an ``Idempotency-Key`` with this event."""
        self._key = key

    @property
    def key(self) -> OwnedKey | None:
        """The ``Idempotency-Key`` the request runs with."""
        return self._key


COLUMNS: tuple[str, ...] = tuple(
    name for name in Event.__dataclass_fields__ if not name.startswith("_")
)


def completed(operation: Operation, result: Result) -> Event | None:
    """The event of a decided operation, or None while its request goes on (a hold was taken)."""
    event: Event | None = operation.attachment
    if event is None:
        return None
    if isinstance(operation, Reserve):
        return _blocked(event, result) if result.refusal is not None else None
    if not isinstance(operation, Note) and result.ok:
        event.wallet_id = result.wallet_id
        event.written_off = result.written_off
    return event


def _blocked(event: Event, result: Result) -> Event:
    """A copy: the transaction may be rolled back, and the next attempt may take the hold."""
    assert result.refusal is not None
    return replace(
        event,
        verdict=DecisionEvent.Verdict.BLOCK,
        status=result.refusal.status,
        reason_code=result.refusal.code,
        hold=0,
    )


def write(pairs: Pairs) -> None:
    """Insert the events of a batch; called by the ledger right before its commit."""
    found, late = [], []
    for operation, result in pairs:
        event = completed(operation, result)
        if event is not None:
            found.append(event)
            if result.state == "settled_late":
                late.append(event.id)
    if late:
        # The sweep wrote an event of its own; now the real cost is known.
        DecisionEvent.objects.filter(id__in=late).delete()
    insert(found)
    ended = [(event.key, _succeeded(event)) for event in found if event.key is not None]
    if ended:
        claims.close(ended)


def _succeeded(event: Event) -> bool:
    """An answer from the cache is one too: its key has been used."""
    return event.verdict in (DecisionEvent.Verdict.ALLOW, DecisionEvent.Verdict.CACHED)


def insert(found: Iterable[Event], using: BaseDatabaseWrapper | None = None) -> None:
    """One statement; an event whose id is there already stays as it is."""
    database = connection if using is None else using
    rows = {event.id: event for event in found}
    if not rows:
        return
    if database.vendor == "postgresql":
        sql, value = _POSTGRES, orjson.dumps(list(rows.values())).decode()
    else:
        sql, value = _SQLITE, orjson.dumps([_texts(row) for row in rows.values()]).decode()
    with database.cursor() as cursor:
        cursor.execute(sql, [value])


def _texts(event: Event) -> list[Any]:
    """Values in the order of ``COLUMNS``, times and UUIDs as Django keeps them on SQLite."""
    values = [getattr(event, name) for name in COLUMNS]
    values[_CREATED] = event.created_at.astimezone(UTC).replace(tzinfo=None).isoformat(" ")
    if event.reservation is not None:
        values[_RESERVATION] = event.reservation.hex
    return values


_CREATED, _RESERVATION = COLUMNS.index("created_at"), COLUMNS.index("reservation")
_NAMES = ", ".join(COLUMNS)
_POSTGRES = (
    f"INSERT INTO gateway_decisionevent ({_NAMES}) SELECT {_NAMES} "
    "FROM json_populate_recordset(NULL::gateway_decisionevent, %s) ON CONFLICT DO NOTHING"
)
_SQLITE = (
    f"INSERT INTO gateway_decisionevent ({_NAMES}) SELECT "
    + ", ".join(f"json_extract(value, '$[{i}]')" for i in range(len(COLUMNS)))
    + " FROM json_each(%s) WHERE true ON CONFLICT DO NOTHING"
)


def write_swept(pairs: Pairs) -> None:
    """Events for holds that a sweep closed: their gateway died before it could write one."""
    from wallets.models import Reservation

    results = {operation.id: result for operation, result in pairs if hasattr(operation, "id")}
    rows = Reservation.objects.filter(id__in=list(results)).exclude(request_id="")
    insert([_swept(row, results[row.pk]) for row in rows])


def _swept(row: Any, result: Result) -> Event:
    facts = row.facts
    return Event(
        id=row.request_id,
        organization_id=row.organization_id,
        route=facts.get("route", ""),
        verdict=DecisionEvent.Verdict.ERROR,
        status=0,
        created_at=row.created_at,
        wallet_id=row.wallet_id,
        reservation=row.pk,
        team_id=row.team_id,
        user_id=row.user_id,
        consumer_group_id=row.consumer_group_id,
        consumer_group_name=facts.get("consumer_group", ""),
        key_id=row.key_id,
        provider=row.provider,
        target=facts.get("target", ""),
        model=row.model,
        reason_code=SWEPT,
        streamed=bool(facts.get("streamed")),
        cost=result.charged + result.written_off,
        hold=row.amount,
        written_off=result.written_off,
        price_version=facts.get("price_version", ""),
        config_version=facts.get("config_version", ""),
        flags=[SWEPT],
        tags=facts.get("tags", {}),
    )
