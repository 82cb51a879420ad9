"""The seam to the database: set-at-a-time reads with locks, and one write per table.

Two implementations behind it, one suite of tests over both: ``postgres`` and ``sqlite``. The
number of statements does not depend on the size of the batch.
"""

from typing import Any, Protocol
from uuid import UUID

from django.db.backends.base.base import BaseDatabaseWrapper

from wallets.ledger.books import Books, CounterRow, Place, ReservationRow, WaiterRow, WalletRow
from wallets.ledger.operations import CounterUse

WALLET_COLUMNS = (
    "id, organization_id, scope, posted, reserved, debt, seq, "
    "total_allocated, total_spent, funded_balance, frozen"
)
RESERVATION_COLUMNS = (
    "r.id, r.organization_id, r.wallet_id, w.scope, r.kind, r.state, r.amount, r.parts, "
    "r.checkpoint, r.cost, r.charged, r.written_off, r.adjusted, r.adjustments, r.provider, "
    "r.model, r.counters"
)
PLACE_COLUMNS = (
    "q.id, q.organization_id, q.wallet_id, NULL, NULL, "
    "CASE WHEN q.dismissed THEN 'dismissed' ELSE 'waiting' END, q.amount, q.part, "
    "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL"
)
"""Of ``wallets_waiter q``, under the columns of a locked reservation; its scope is null."""
WAITER_COLUMNS = "id, wallet_id, part, amount"
RANK_OF = {"user": 0, "team": 1, "organization": 2}

StoredClaim = tuple[int, str, dict[str, Any]]
"""Organisation, fingerprint and the result of an idempotency key that succeeded."""


class Store(Protocol):
    """What a batch needs of the database. Called inside one transaction, in this order."""

    def claim(self, rows: list[tuple[str, int, str]]) -> dict[str, StoredClaim]:
        """Claim (key, organisation, fingerprint); return those that had succeeded before."""

    def lock_reservations(
        self, ids: list[UUID]
    ) -> tuple[dict[UUID, ReservationRow], dict[UUID, Place]]:
        """Lock reservations by id, with the database's time; and which of the ids wait."""

    def lock_counters(self, uses: list[CounterUse], keys: list[str]) -> dict[str, CounterRow]:
        """Create the counters of ``uses`` where missing, then lock ``keys``, both in key order."""

    def lock_wallets(self, ids: list[int]) -> dict[int, WalletRow]:
        """Lock wallets of one rank by id."""

    def waiters(self, wallet_ids: list[int]) -> list[WaiterRow]:
        """Who waits for these wallets and is alive, in turn. Called under the wallets' locks."""

    def references(
        self, keys: list[tuple[str, str]]
    ) -> dict[tuple[str, str], tuple[int, int, int]]:
        """(type, reference) booked before → (wallet id, seq, d_posted - d_debt)."""

    def finish_claims(self, kept: list[tuple[str, dict[str, Any]]], freed: list[str]) -> None:
        """Store the results of successes, free the keys of refusals."""

    def write(self, books: Books) -> None:
        """Write everything the decisions changed: no table twice."""


def for_connection(connection: BaseDatabaseWrapper) -> Store:
    """The store that speaks the connection's dialect."""
    if connection.vendor == "postgresql":
        from wallets.ledger.postgres import PostgresStore

        return PostgresStore(connection)
    from wallets.ledger.sqlite import SqliteStore

    return SqliteStore(connection)
