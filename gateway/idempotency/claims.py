"""The rows of keys: claimed, taken over from the dead, renewed, freed, filled and purged.

Every function is one or two short statements and works the same from any number of processes. A row
changes owners by compare-and-swap, so that exactly one of many wins.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, models
from django.db.models import Count, Q, Sum
from django.db.models.functions import Length, Now
from django.utils import timezone

from gateway.models import IdempotentCall
from wallets.models import Organization, Reservation

LEASE = timedelta(seconds=60)
KEPT = timedelta(hours=24)
SLACK = timedelta(minutes=1)
"""A hold is looked for from so long before its key was claimed."""
ATTEMPTS = 3
PURGE_BATCH = 500
MOST_ANSWERS = 10_000
MOST_BYTES = 256 * 1024 * 1024
"""Of one organisation's kept answers; the job lets the oldest beyond go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Who wants a key, for which body."""

    key: str
    organization_id: int
    fingerprint: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """The key is the claimant's: it runs."""


@dataclass(frozen=True, slots=True)
class Running:
    """Somebody else's request runs with this key, or its hold is still open."""


@dataclass(frozen=True, slots=True)
class Reused:
    """The key was used for another body."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The request was paid for, and its answer is not to be had."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The request has succeeded; its encrypted answer."""

    answer: bytes


Outcome = Claimed | Running | Reused | Lost | Finished


def claim(wanted: Claim) -> Outcome:
    """Take the key, or say why not."""
    for _ in range(ATTEMPTS):
        _insert(wanted)
        row = _read(wanted.key)
        if row is None:
            continue
        if row.request_id == wanted.request_id:
            return Claimed()
        outcome = _standing(row, wanted)
        if outcome is not None:
            return outcome
        if _take_over(row, wanted):
            return Claimed()
    # Others were faster every time: one of them runs.
    return Running()


def _after(span: timedelta) -> Any:
    return models.ExpressionWrapper(Now() + span, output_field=models.DateTimeField())


def _insert(wanted: Claim) -> None:
    row = IdempotentCall(
        key=wanted.key,
        organization_id=wanted.organization_id,
        fingerprint=wanted.fingerprint,
        request_id=wanted.request_id,
        lease_until=_after(LEASE),
        created_at=Now(),
        expires_at=_after(KEPT),
    )
    IdempotentCall.objects.bulk_create([row], ignore_conflicts=True)


def _read(key: str) -> Any:
    """The row with the database's time as ``now``."""
    now = models.ExpressionWrapper(Now(), output_field=models.DateTimeField())
    return IdempotentCall.objects.filter(key=key).annotate(now=now).first()


def _standing(row: Any, wanted: Claim) -> Outcome | None:
    """What a row means for somebody else; None: it may be taken over."""
    alive = row.finished_at is None and row.lease_until > row.now
    if not alive and row.expires_at <= row.now:
        return None
    if not alive and row.finished_at is None:
        return _of_the_dead(row)
    if row.fingerprint != wanted.fingerprint:
        return Reused()
    if alive:
        return Running()
    return Lost() if row.answer is None else Finished(bytes(row.answer))


def _of_the_dead(row: IdempotentCall) -> Outcome | None:
    """Its gateway is gone: what became of the money decides."""
    holds = Reservation.objects.filter(
        organization_id=row.organization_id,
        created_at__gte=row.created_at - SLACK,
        request_id=row.request_id,
    ).values_list("state", "charged", "written_off")
    found = list(holds)
    if any(state == Reservation.State.HELD for state, _, _ in found):
        return Running()
    return Lost() if any(charged or lost for _, charged, lost in found) else None


def _take_over(row: Any, wanted: Claim) -> bool:
    """Compare and swap: nobody else has changed the row since it was read."""
    unchanged = IdempotentCall.objects.filter(
        key=row.key, request_id=row.request_id, lease_until=row.lease_until,
        finished_at=row.finished_at,
    )  # fmt: skip
    return (
        unchanged.update(
            organization_id=wanted.organization_id,
            fingerprint=wanted.fingerprint,
            request_id=wanted.request_id,
            answer=None,
            finished_at=None,
            lease_until=_after(LEASE),
            created_at=Now(),
            expires_at=_after(KEPT),
        )
        == 1
    )


def renew(request_ids: Sequence[str], keys: Sequence[str]) -> None:
    """Their requests are alive."""
    IdempotentCall.objects.filter(
        key__in=keys, request_id__in=request_ids, finished_at=None
    ).update(lease_until=_after(LEASE))


def free(owned: Iterable[tuple[str, str]]) -> None:
    """Give up (key, request id) pairs whose request did not succeed."""
    pairs = list(owned)
    IdempotentCall.objects.filter(
        key__in=[key for key, _ in pairs],
        request_id__in=[request_id for _, request_id in pairs],
        finished_at=None,
    ).delete()


def finish(answers: Sequence[tuple[str, str, bytes | None]], now: datetime) -> None:
    """Keep the encrypted answers of (key, request id) pairs; None: too long to be kept."""
    adapt = connection.ops.adapt_datetimefield_value
    rows = [
        (answer, adapt(now), adapt(now + KEPT), key, request_id)
        for key, request_id, answer in sorted(answers, key=lambda row: row[0])
    ]
    with connection.cursor() as cursor:
        # On PostgreSQL a pipeline: one round trip for the whole batch.
        cursor.executemany(_FINISH, rows)


_FINISH = (
    "UPDATE gateway_idempotentcall SET answer = %s, finished_at = %s, expires_at = %s "
    "WHERE key = %s AND request_id = %s"
)


def purge() -> int:
    """Delete what has expired and nobody works on, in small batches; how many rows went."""
    total = 0
    while True:
        due = IdempotentCall.objects.filter(
            Q(finished_at__isnull=False) | Q(lease_until__lte=Now()), expires_at__lte=Now()
        )
        keys = list(due.values_list("key", flat=True)[:PURGE_BATCH])
        deleted, _ = due.filter(key__in=keys).delete()
        total += deleted
        if len(keys) < PURGE_BATCH:
            return total


def purge_excess() -> int:
    """Let the oldest answers go where an organisation keeps too many; how many went.

    Their keys stay until they expire: a request that is repeated is refused as lost, never paid
    twice.
    """
    kept = IdempotentCall.objects.filter(answer__isnull=False)
    sums = kept.values("organization_id").annotate(count=Count("key"), size=Sum(Length("answer")))
    over = sums.filter(Q(count__gt=MOST_ANSWERS) | Q(size__gt=MOST_BYTES)).order_by()
    return sum(_let_go(kept.filter(organization_id=row["organization_id"])) for row in over)


def _let_go(kept: "models.QuerySet[IdempotentCall]") -> int:
    newest = kept.order_by("-finished_at", "key").values_list("key", Length("answer"))
    excess, size = [], 0
    for position, (key, length) in enumerate(newest.iterator(PURGE_BATCH)):
        size += length
        if position >= MOST_ANSWERS or size > MOST_BYTES:
            excess.append(key)
    for begin in range(0, len(excess), PURGE_BATCH):
        kept.filter(key__in=excess[begin : begin + PURGE_BATCH]).update(answer=None)
    return len(excess)


def purge_organization(organization: Organization | int) -> int:
    """Delete every kept answer of an organisation; keys of requests that run stay."""
    deleted, _ = (
        IdempotentCall.objects.for_organization(organization)
        .filter(Q(finished_at__isnull=False) | Q(lease_until__lte=Now()))
        .delete()
    )
    return deleted


@dataclass(slots=True)
class OwnedKey:
    """A key on the way with the event of the request that runs with it.

    ``answer``: encrypted, once the request has succeeded. ``closed``: the end is written, though
    perhaps not committed yet.
    """

    key: str
    request_id: str
    answer: bytes | None = None
    closed: bool = False


def close(ended: Iterable[tuple[OwnedKey, bool]]) -> None:
    """Write how requests ended, in the transaction of their events: (key, whether it succeeded).

    Success keeps the answer; anything else frees the key.
    """
    finished: list[tuple[str, str, bytes | None]] = []
    freed: list[tuple[str, str]] = []
    for owned, succeeded in ended:
        if succeeded:
            finished.append((owned.key, owned.request_id, owned.answer))
        else:
            freed.append((owned.key, owned.request_id))
        owned.closed = True
    if finished:
        finish(finished, timezone.now())
    if freed:
        free(freed)
