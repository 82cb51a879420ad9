"""One transaction: claim ids → lock → decide each operation in order → write each table once.

The lock order is the same everywhere: claims by key, reservations by id, limit counters by key,
wallets by (rank, id) in three rounds. What falls through a rank joins the next round before that is
locked, so the organisation wallet is locked only when somebody needs it and nothing deadlocks.
"""

from collections.abc import Callable, Sequence
from uuid import UUID

from wallets.errors import KeyReused, NotFound, Refused
from wallets.ledger import holds, movements
from wallets.ledger.books import Books, ReservationRow
from wallets.ledger.operations import (
    Adjust,
    Credit,
    Expire,
    Extend,
    Heartbeat,
    Note,
    Operation,
    PaymentRefund,
    Ref,
    Refund,
    Reserve,
    Settle,
    Sweep,
    Transfer,
)
from wallets.ledger.results import Result, refused
from wallets.ledger.store import Store

RANKS = (0, 1, 2)
OnReservation = Extend | Settle | Refund | Sweep | Heartbeat | Adjust


class Batch:
    """Operations that one transaction carries out, each with a result of its own."""

    def __init__(self, operations: Sequence[Operation], store: Store) -> None:
        self.operations = operations
        self.store = store
        self.books = Books()
        self.results: list[Result | None] = [None] * len(operations)
        self.next_candidate = [0] * len(operations)
        self.answered_by_claim: set[int] = set()

    def run(self) -> list[Result]:
        """Carry out all operations; the caller owns the transaction."""
        self._answer_claims()
        self._lock_reservations()
        self._lock_counters()
        self._answer_without_wallets()
        for rank in RANKS:
            self._lock_wallets(rank)
            self._decide(rank)
        results = [result or refused(NotFound("Nothing to do.")) for result in self.results]
        self._store_claims(results)
        self.store.write(self.books)
        return results

    def _open(self) -> list[tuple[int, Operation]]:
        return [(i, op) for i, op in enumerate(self.operations) if self.results[i] is None]

    def _answer_claims(self) -> None:
        claimed = {op.claim.key: op for op in self.operations if op.claim is not None}
        if not claimed:
            return
        stored = self.store.claim(
            [
                (key, claimed[key].organization_id, _fingerprint(claimed[key]))
                for key in sorted(claimed)
            ]
        )
        for i, op in self._open():
            if op.claim is None or op.claim.key not in stored:
                continue
            self.answered_by_claim.add(i)
            organization_id, fingerprint, result = stored[op.claim.key]
            if (organization_id, fingerprint) != (op.organization_id, op.claim.fingerprint):
                self.results[i] = refused(
                    KeyReused("This Idempotency-Key was used for a different request.")
                )
            else:
                self.results[i] = Result.replay(result)

    def _store_claims(self, results: list[Result]) -> None:
        """Only successes are kept: a refused call frees its key."""
        kept: list[tuple[str, Result]] = []
        freed: list[tuple[str, Result]] = []
        for i, (op, result) in enumerate(zip(self.operations, results, strict=True)):
            if op.claim is None or i in self.answered_by_claim:
                continue
            (kept if result.ok else freed).append((op.claim.key, result))
        if kept or freed:
            self.store.finish_claims(
                [(key, r.stored()) for key, r in kept], [key for key, _ in freed]
            )

    def _lock_reservations(self) -> None:
        ids = {reservation for _, op in self._open() if (reservation := _reservation_id(op))}
        if ids:
            self.books.reservations = self.store.lock_reservations(sorted(ids))

    def _lock_counters(self) -> None:
        wanted = {}
        for _, op in self._open():
            if isinstance(op, Reserve | Extend):
                for use in op.counters:
                    wanted[use.key] = use
            if isinstance(op, Reserve):
                for candidate in op.candidates:
                    for use in candidate.counters:
                        wanted[use.key] = use
        existing = {key for row in self.books.reservations.values() for key in row.counters}
        if wanted or existing:
            self.books.counters = self.store.lock_counters(
                [wanted[key] for key in sorted(wanted)], sorted(existing | set(wanted))
            )

    def _answer_without_wallets(self) -> None:
        """Operations that need no wallet, or whose reservation is missing or done already."""
        for i, op in self._open():
            if isinstance(op, Note):
                self.results[i] = Result(state="noted")
            elif isinstance(op, Reserve) and op.id in self.books.reservations:
                self.results[i] = self._repeated(op, self.books.reservations[op.id])
            elif isinstance(op, OnReservation):
                self._answer_on_reservation(i, op)

    def _answer_on_reservation(self, i: int, op: OnReservation) -> None:
        row = self.books.reservations.get(op.id)
        if row is None or row.organization_id != op.organization_id:
            absent = isinstance(op, Refund | Sweep)
            self.results[i] = (
                Result(state="absent", replayed=True)
                if absent
                else refused(NotFound("The reservation does not exist."))
            )
        elif isinstance(op, Heartbeat):
            self.results[i] = holds.heartbeat(op, row, self.books)

    def _repeated(self, op: Reserve, row: ReservationRow) -> Result:
        if row.organization_id != op.organization_id:
            return refused(NotFound("The reservation does not exist."))
        return holds.repeated(op, row, self.books)

    def _refs(self, i: int, op: Operation) -> list[Ref]:
        """The wallets an operation needs before it can be decided (a reserve: its next
        candidate).
        """
        if isinstance(op, Reserve):
            return [op.candidates[self.next_candidate[i]].wallet]
        if isinstance(op, OnReservation):
            row = self.books.reservations[op.id]
            return [Ref(id=row.wallet_id, rank=row.wallet_rank)]
        if isinstance(op, Credit | PaymentRefund | Expire):
            return [op.wallet]
        if isinstance(op, Transfer):
            return [ref for leg in op.legs for ref in (leg.source, leg.target)]
        raise TypeError(f"unknown operation {type(op).__name__}")

    def _lock_wallets(self, rank: int) -> None:
        ids = {ref.id for i, op in self._open() for ref in self._refs(i, op) if ref.rank == rank}
        if ids - self.books.wallets.keys():
            self.books.wallets.update(self.store.lock_wallets(sorted(ids)))
        if rank == RANKS[-1]:
            self._read_references()

    def _read_references(self) -> None:
        keys = {
            (op.type if isinstance(op, Credit) else "payment_refund", op.reference)
            for _, op in self._open()
            if isinstance(op, Credit | PaymentRefund) and op.reference is not None
        }
        if keys:
            self.books.references = self.store.references(sorted(keys))

    def _decide(self, rank: int) -> None:
        for i, op in self._open():
            while self.results[i] is None and self._due(i, op) == rank:
                try:
                    self.results[i] = self._decision(i, op)
                except Refused as refusal:
                    self.results[i] = refused(refusal)
                if self.results[i] is None:
                    self.next_candidate[i] += 1

    def _due(self, i: int, op: Operation) -> int:
        """The round that has locked all that ``op`` needs; money from outside waits for the
        last.
        """
        if isinstance(op, Credit | PaymentRefund):
            return RANKS[-1]
        return max(ref.rank for ref in self._refs(i, op))

    def _decision(self, i: int, op: Operation) -> Result | None:
        books = self.books
        if isinstance(op, Reserve):
            k = self.next_candidate[i]
            return holds.reserve(op, op.candidates[k], k + 1 == len(op.candidates), books)
        if isinstance(op, Transfer):
            return movements.transfer(op, books)
        wallet = books.wallets.get(self._refs(i, op)[0].id)
        if wallet is None or wallet.organization_id != op.organization_id:
            return refused(NotFound("The wallet does not exist."))
        if isinstance(op, Credit):
            return movements.credit(op, wallet, books)
        if isinstance(op, Expire):
            return movements.expire(op, wallet, books)
        if isinstance(op, PaymentRefund):
            row = books.reservations.get(op.reservation) if op.reservation else None
            return movements.payment_refund(op, wallet, row, books)
        row = books.reservations[_reservation_id(op)]  # type: ignore[index]
        decide = _ON_RESERVATION[type(op)]
        return decide(op, row, wallet, books)


_ON_RESERVATION: dict[type, Callable[..., Result]] = {
    Extend: holds.extend,
    Settle: holds.settle,
    Refund: holds.refund,
    Sweep: holds.sweep,
    Adjust: movements.adjust,
}


def _reservation_id(op: Operation) -> UUID | None:
    if isinstance(op, Reserve | OnReservation):
        return op.id
    return op.reservation if isinstance(op, PaymentRefund) else None


def _fingerprint(op: Operation) -> str:
    return op.claim.fingerprint if op.claim is not None else ""


def identities(op: Operation) -> set[object]:
    """What one transaction may name once only: its reservation and its idempotency key."""
    found: set[object] = set()
    if (reservation := _reservation_id(op)) is not None:
        found.add(reservation)
    if op.claim is not None:
        found.add(op.claim.key)
    return found
