"""Closing the holds of processes that died: charged by checkpoint, the rest returned.

Selects due holds without locks; the ledger looks again under the lock, so any number of sweepers
may run beside live gateways.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from wallets import ledger
from wallets.ledger.posting import Alongside, Pairs
from wallets.models import Reservation

BATCH = 200
_witnesses: list[Alongside] = []


@dataclass(slots=True)
class SweepReport:
    """How many holds were looked at and closed; amounts in nano-dollars."""

    due: int = 0
    closed: int = 0
    charged: int = 0
    returned: int = 0


def witness(write: Alongside) -> None:
    """Register what must be written in the transaction that sweeps (the gateway's events)."""
    if write not in _witnesses:
        _witnesses.append(write)


def sweep(
    *, older_than: timedelta | None = None, limit: int = 10_000, actor: str = "system"
) -> SweepReport:
    """Close holds past their expiry, or with no heartbeat for ``older_than``; at most ``limit``."""
    report = SweepReport()
    if older_than is None and _just_started():
        return report
    rows = list(_due(older_than)[:limit])
    for begin in range(0, len(rows), BATCH):
        _sweep_batch(rows[begin : begin + BATCH], older_than, actor, report)
    return report


def _due(older_than: timedelta | None) -> "QuerySet[Reservation, tuple[UUID, int]]":
    held = Reservation.objects.filter(
        state=Reservation.State.HELD, kind=Reservation.Kind.USAGE
    ).order_by("expires_at")
    now = _database_now()
    if older_than is not None:
        held = held.filter(heartbeat_at__lte=now - older_than)
    else:
        held = held.filter(expires_at__lte=now)
    return held.values_list("id", "organization_id")


def _just_started() -> bool:
    """Whether PostgreSQL came up less than one time to live ago.

    While it was away nobody could send heartbeats, so an expired hold says nothing yet.
    """
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT clock_timestamp() - pg_postmaster_start_time() < make_interval(secs => %s)",
            [ledger.TTL.total_seconds()],
        )
        return bool(cursor.fetchone()[0])


def _database_now() -> datetime:
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]  # type: ignore[no-any-return]


def _sweep_batch(
    rows: list[tuple[UUID, int]], older_than: timedelta | None, actor: str, report: SweepReport
) -> None:
    operations = [
        ledger.Sweep(organization_id=organization, id=id_, older_than=older_than, actor=actor)
        for id_, organization in rows
    ]
    results = ledger.post(operations, alongside=_write_all)
    for result in results:
        report.due += 1
        if result.ok and not result.replayed:
            report.closed += 1
            report.charged += result.charged
            report.returned += result.amount - result.charged


def _write_all(pairs: Pairs) -> None:
    swept = [(op, result) for op, result in pairs if result.ok and not result.replayed]
    for write in _witnesses:
        write(swept)
