"""``post``: a batch of operations in as few transactions as their identities allow.

A broken operation never jams the rest: transient errors repeat the same batch with the same ids, a
lock timeout splits it by wallet, anything else bisects it until the culprit stands alone.
"""

import logging
import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from uuid import UUID

from django.db import DatabaseError, InterfaceError, OperationalError, connections, transaction

from wallets.errors import LedgerUnavailable, Refused
from wallets.ledger.batch import Batch, OnReservation, identities
from wallets.ledger.operations import Operation, Reserve
from wallets.ledger.results import Result, refused
from wallets.ledger.store import for_connection
from wallets.models import DeadLetter, Reservation

log = logging.getLogger(__name__)

ATTEMPTS = 5
SERIALIZATION, DEADLOCK, LOCK_TIMEOUT, UNIQUE = "40001", "40P01", "55P03", "23505"
SQLITE_STATES = (
    ("locked", LOCK_TIMEOUT),
    ("busy", LOCK_TIMEOUT),
    ("UNIQUE constraint failed", UNIQUE),
    ("readonly database", "25006"),
    ("disk is full", "53100"),
    ("disk I/O error", "58030"),
)
"""SQLite has no states: words of its messages, and what PostgreSQL calls the same."""
TRANSIENT = {SERIALIZATION, DEADLOCK, LOCK_TIMEOUT}
LOCK_ATTEMPTS = 2
"""A lock timeout has waited already; whoever must not give up asks again later."""
NOT_NOW = ("08", "25006", "53", "57", "58")
"""The server's own troubles, by the beginning of their state: no connection, read-only, disk or
memory full, cancelled or shutting down, input and output. No operation is to blame."""

Pairs = list[tuple[Operation, Result]]
Alongside = Callable[[Pairs], None]


def post(
    operations: Sequence[Operation], *, using: str = "default", alongside: Alongside | None = None
) -> list[Result]:
    """Carry out ``operations`` in order; each gets its own result, a refusal undoes no other.

    ``alongside`` is called with the (operation, result) pairs of each transaction right before its
    commit, to write rows that must not exist without it. Raises ``LedgerUnavailable`` when the
    database is away: then nothing is known of operations not yet answered, repeat them with their
    ids.
    """
    results: dict[int, Result] = {}
    for wave in _waves(operations):
        answers = _post_wave([operations[i] for i in wave], using, alongside)
        results.update(zip(wave, answers, strict=True))
    return [results[i] for i in range(len(operations))]


def post_one(
    operation: Operation, *, using: str = "default", alongside: Alongside | None = None
) -> Result:
    """Carry out one operation; raises its refusal."""
    return post([operation], using=using, alongside=alongside)[0].unwrap()


def _waves(operations: Sequence[Operation]) -> list[list[int]]:
    """Indexes in order, cut where a reservation or idempotency key is named a second time."""
    waves: list[list[int]] = []
    seen: set[object] = set()
    for i, operation in enumerate(operations):
        names = identities(operation)
        if not waves or names & seen:
            waves.append([])
            seen = set()
        waves[-1].append(i)
        seen |= names
    return waves


def _post_wave(
    operations: list[Operation],
    using: str,
    alongside: Alongside | None,
    *,
    one_wallet: bool = False,
) -> list[Result]:
    collided = False
    for attempt in range(ATTEMPTS):
        try:
            return _transaction(operations, using, alongside)
        except (DatabaseError, InterfaceError) as error:
            state = _sqlstate(error)
            if _is_away(error, state, using):
                connections[using].close()
                raise LedgerUnavailable("The database is away; try again.") from error
            if state == LOCK_TIMEOUT and not one_wallet and _can_split(operations, using):
                return _by_wallet(operations, using, alongside)
            if state not in TRANSIENT and (collided or state != UNIQUE):
                return _bisect(operations, using, alongside, error)
            collided = collided or state == UNIQUE
            if state == LOCK_TIMEOUT and attempt + 1 >= LOCK_ATTEMPTS:
                break
            log.warning("ledger batch of %d repeated: %s", len(operations), state)
            time.sleep(random.uniform(0, 0.01 * 2**attempt))
        except Exception as error:  # text that is no UTF-8, a veto of ``alongside``, a defect
            return _bisect(operations, using, alongside, error)
    return [refused(LedgerUnavailable("The ledger is too busy; try again.")) for _ in operations]


def _transaction(
    operations: list[Operation], using: str, alongside: Alongside | None
) -> list[Result]:
    connection = connections[using]
    with transaction.atomic(using=using, durable=True):
        results = Batch(operations, for_connection(connection)).run()
        if alongside is not None:
            alongside(list(zip(operations, results, strict=True)))
    return results


def _can_split(operations: list[Operation], using: str) -> bool:
    """SQLite's lock is the whole file's."""
    return len(operations) > 1 and connections[using].vendor == "postgresql"


def _by_wallet(
    operations: list[Operation], using: str, alongside: Alongside | None
) -> list[Result]:
    """A wallet is locked for long by somebody: operations on other wallets go through."""
    groups: dict[object, list[int]] = defaultdict(list)
    wallets = _wallets_of_reservations(operations, using)
    for i, operation in enumerate(operations):
        groups[_first_wallet(operation, wallets)].append(i)
    results: dict[int, Result] = {}
    for members in groups.values():
        answers = _post_wave([operations[i] for i in members], using, alongside, one_wallet=True)
        results.update(zip(members, answers, strict=True))
    return [results[i] for i in range(len(operations))]


def _wallets_of_reservations(operations: list[Operation], using: str) -> dict[UUID, int]:
    ids = [op.id for op in operations if isinstance(op, OnReservation)]
    rows = Reservation.objects.using(using).filter(id__in=ids)
    try:
        return dict(rows.values_list("id", "wallet_id"))
    except (DatabaseError, InterfaceError):
        return {}


def _first_wallet(operation: Operation, wallets: dict[UUID, int]) -> object:
    if isinstance(operation, Reserve):
        return operation.candidates[0].wallet.id
    if isinstance(operation, OnReservation):
        return wallets.get(operation.id)
    return id(operation)


def _bisect(
    operations: list[Operation], using: str, alongside: Alongside | None, error: Exception
) -> list[Result]:
    if len(operations) > 1:
        middle = len(operations) // 2
        return _post_wave(operations[:middle], using, alongside) + _post_wave(
            operations[middle:], using, alongside
        )
    if isinstance(error, Refused):
        return [refused(error)]
    _bury(operations[0], using, error)
    return [refused(LedgerUnavailable("The ledger could not carry this out.", code="ledger_fault"))]


def _bury(operation: Operation, using: str, error: Exception) -> None:
    """Keep what failed for an operator; that this fails too must not take the others' results."""
    name = type(operation).__name__
    log.error("ledger operation %s failed alone: %s", name, error, exc_info=error)
    try:
        DeadLetter.objects.using(using).create(
            operation=name, payload=_payload(operation), error=repr(error)[:2000]
        )
    except (DatabaseError, InterfaceError):
        log.exception("the dead letter of %s could not be written", name)


def _payload(operation: Operation) -> str:
    """What an operator needs to look at, without the attachment (which may hold texts)."""
    names = [
        name for name in getattr(operation, "__dataclass_fields__", {}) if name != "attachment"
    ]
    return ", ".join(f"{name}={getattr(operation, name)!r}" for name in names)


def _sqlstate(error: Exception) -> str:
    cause = error.__cause__
    state = getattr(cause, "sqlstate", None)
    if state is not None:
        return str(state)
    return next((state for words, state in SQLITE_STATES if words in str(error)), "")


def _is_away(error: Exception, state: str, using: str) -> bool:
    """Whether the connection is gone rather than a statement refused."""
    if isinstance(error, InterfaceError) or state.startswith(NOT_NOW):
        return True
    connection = connections[using]
    return isinstance(error, OperationalError) and (
        connection.connection is None or (state == "" and connection.vendor == "postgresql")
    )
