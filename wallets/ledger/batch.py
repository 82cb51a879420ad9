"""One transaction: claim ids → lock → decide each operation in order → write each table once.

The lock order is the same everywhere: claims by key, reservations by id, limit counters by key,
wallets by (rank, id) in three rounds. What falls through a rank joins the next round before that is
locked, so the organisation wallet is locked only when somebody needs it and nothing deadlocks.
"""

from collections.abc import Callable, Container, Sequence
from uuid import UUID

from wallets.errors import Conflict, KeyReused, NotFound, Refused
from wallets.ledger import holds, line, movements
from wallets.ledger.books import Books, ReservationRow
from wallets.ledger.operations import (
    Adjust,
    CounterUse,
    Credit,
    Expire,
    Extend,
    Heartbeat,
    Move,
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
OnReservation = Extend | Move | Settle | Refund | Sweep | Heartbeat | Adjust


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
        ids = {reservation for _, op in self._open() for reservation in _reservation_ids(op)}
        if ids:
            rows, places = self.store.lock_reservations(sorted(ids))
            self.books.reservations, self.books.places = rows, places
            self._look_again_for_moves()

    def _look_again_for_moves(self) -> None:
        """The twin of a move may have committed while the old hold was waited for: what it opened
        is there now, but not in what that statement could see.
        """
        rows = self.books.reservations
        unseen = {
            op.to.id
            for _, op in self._open()
            if isinstance(op, Move) and op.to.id not in rows and op.id in rows
            if rows[op.id].closed
        }
        if unseen:
            rows.update(self.store.lock_reservations(sorted(unseen))[0])

    def _lock_counters(self) -> None:
        wanted: dict[str, CounterUse] = {}
        for _, op in self._open():
            hold = op.to if isinstance(op, Move) else op
            if isinstance(hold, Reserve | Extend):
                wanted.update((use.key, use) for use in hold.counters)
            if isinstance(hold, Reserve):
                for candidate in hold.candidates:
                    wanted.update((use.key, use) for use in candidate.counters)
        existing = {key for row in self.books.reservations.values() for key in row.counters}
        if wanted or existing:
            self.books.counters = self.store.lock_counters(
                [wanted[key] for key in sorted(wanted)], sorted(existing | set(wanted))
            )

    def _answer_without_wallets(self) -> None:
        """Operations that need no wallet, or whose reservation is missing or done already."""
        for i, op in self._open():
            if isinstance(op, Note):
                self._answer(i, op, Result(state="noted"))
            elif isinstance(op, Reserve) and op.id in self.books.reservations:
                self._answer(i, op, self._repeated(op, self.books.reservations[op.id]))
            elif isinstance(op, OnReservation):
                self._answer(i, op, self._without_wallet(op))

    def _answer(self, i: int, op: Operation, result: Result | None) -> None:
        """Note a result; who is not in a line any longer leaves it."""
        self.results[i] = result
        if result is None or result.waits or not isinstance(op, Reserve | OnReservation):
            return
        place = self.books.places.get(op.id)
        if place is not None and place.organization_id == op.organization_id:
            row = self.books.reservations.get(op.id)
            ended = row is not None and (row.closed or isinstance(op, Extend))
            if ended or isinstance(op, Reserve | Refund):
                line.leave(op.id, self.books)

    def _without_wallet(self, op: OnReservation) -> Result | None:
        row = self.books.reservations.get(op.id)
        if row is None or row.organization_id != op.organization_id:
            if isinstance(op, Refund | Sweep):
                return Result(state="absent", replayed=True)
            return refused(NotFound("The reservation does not exist."))
        if isinstance(op, Heartbeat):
            return holds.heartbeat(op, row, self.books)
        if isinstance(op, Move) and op.to.id in self.books.reservations:
            if not row.closed:
                return refused(Conflict("The new hold is there already.", state=row.state))
            return self._repeated(op.to, self.books.reservations[op.to.id])
        return None

    def _repeated(self, op: Reserve, row: ReservationRow) -> Result:
        if row.organization_id != op.organization_id:
            return refused(NotFound("The reservation does not exist."))
        return holds.repeated(op, row, self.books)

    def _refs(self, i: int, op: Operation) -> list[Ref]:
        """The wallets an operation needs before it can be decided (a reserve: its next
        candidate).
        """
        if isinstance(op, Reserve) and op.last:
            return [candidate.wallet for candidate in op.candidates]
        if isinstance(op, Reserve):
            return [op.candidates[self.next_candidate[i]].wallet]
        if isinstance(op, OnReservation):
            row = self.books.reservations[op.id]
            own = Ref(id=row.wallet_id, rank=row.wallet_rank)
            if isinstance(op, Move):
                return [own, op.to.candidates[self.next_candidate[i]].wallet]
            return [own]
        if isinstance(op, Credit | PaymentRefund | Expire):
            return [op.wallet]
        if isinstance(op, Transfer):
            return [ref for leg in op.legs for ref in (leg.source, leg.target)]
        raise TypeError(f"unknown operation {type(op).__name__}")

    def _lock_wallets(self, rank: int) -> None:
        ids = {ref.id for i, op in self._open() for ref in self._refs(i, op) if ref.rank == rank}
        if ids - self.books.wallets.keys():
            rows = self.store.lock_wallets(sorted(ids))
            self.books.wallets.update(rows)
            self._read_lines([id for id, row in rows.items() if row.contested])
        if rank == RANKS[-1]:
            self._read_references()

    def _read_lines(self, contested: list[int]) -> None:
        """Who waits for the wallets that were just locked; nobody, nearly always."""
        takes = any(isinstance(op, Reserve | Extend | Move) for _, op in self._open())
        if contested and takes:
            for waiter in self.store.waiters(contested):
                if waiter.id not in self.books.left:
                    self.books.waiters.setdefault(waiter.wallet_id, []).append(waiter)

    def _read_references(self) -> None:
        keys = {
            (op.type if isinstance(op, Credit) else "payment_refund", op.reference)
            for _, op in self._open()
            if isinstance(op, Credit | PaymentRefund) and op.reference is not None
        }
        if keys:
            self.books.references = self.store.references(sorted(keys))

    def _decide(self, rank: int) -> None:
        due = [(i, op) for i, op in self._open() if self._due(i, op) == rank]
        for i, op in in_turn(due, self.books.places):
            while self.results[i] is None and self._due(i, op) == rank:
                self._answer(i, op, self._attempt(i, op))
                if self.results[i] is None:
                    self.next_candidate[i] += 1

    def _attempt(self, i: int, op: Operation) -> Result | None:
        """The decision; a refusal may become a place in a line."""
        try:
            result = self._decision(i, op)
        except Refused as refusal:
            return refused(refusal)
        if result is not None and result.refusal and isinstance(op, Reserve | Extend):
            tried = op.candidates[: self.next_candidate[i] + 1] if isinstance(op, Reserve) else ()
            return line.instead(op, result.refusal, self.books, tried)
        return result

    def _due(self, i: int, op: Operation) -> int:
        """The round that has locked all that ``op`` needs; money from outside waits for the
        last.
        """
        if isinstance(op, Credit | PaymentRefund) or (isinstance(op, Reserve) and op.last):
            return RANKS[-1]
        return max(ref.rank for ref in self._refs(i, op))

    def _decision(self, i: int, op: Operation) -> Result | None:
        books = self.books
        if isinstance(op, Reserve):
            k = self.next_candidate[i]
            final = k + 1 == len(op.candidates)
            turn = line.turn_of(op, books)
            return holds.reserve(op, op.candidates[k], final, books, turn=turn)
        if isinstance(op, Move):
            k = self.next_candidate[i]
            final = k + 1 == len(op.to.candidates)
            return holds.move(op, op.to.candidates[k], final, books.reservations[op.id], books)
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
        assert isinstance(op, OnReservation)
        row = books.reservations[op.id]
        decide = _ON_RESERVATION[type(op)]
        return decide(op, row, wallet, books)


_ON_RESERVATION: dict[type, Callable[..., Result]] = {
    Extend: holds.extend,
    Settle: holds.settle,
    Refund: holds.refund,
    Sweep: holds.sweep,
    Adjust: movements.adjust,
}


def in_turn(
    due: list[tuple[int, Operation]], places: Container[UUID]
) -> list[tuple[int, Operation]]:
    """The order of a round: as given, but extensions, moves and who has waited go by their ids.

    They are decided where the last of them stands, and holds that were given before them follow: so
    nobody loses what a settle of the same batch gives back. Holds marked ``last`` close the round.
    """
    phases = [_phase(op, places) for _, op in due]
    cut = max((n + 1 for n, (phase, _) in enumerate(phases) if 0 < phase < HOLDS), default=0)
    keys = [phases[n] if n < cut else AS_GIVEN for n in range(len(due))]
    first = sorted(range(len(due)), key=lambda n: (n >= cut, *keys[n]))
    ordered = [due[n] for n in first]
    return sorted(ordered, key=lambda item: isinstance(item[1], Reserve) and item[1].last)


HOLDS = 4
AS_GIVEN = (0, 0)


def _phase(op: Operation, places: Container[UUID]) -> tuple[int, int]:
    if isinstance(op, Extend):
        return 1, op.id.int
    if isinstance(op, Move):
        return 2, op.id.int
    if isinstance(op, Reserve):
        return (3, op.id.int) if op.id in places else (HOLDS, 0)
    return AS_GIVEN


def _reservation_ids(op: Operation) -> tuple[UUID, ...]:
    if isinstance(op, Move):
        return (op.id, op.to.id)
    if isinstance(op, Reserve | OnReservation):
        return (op.id,)
    if isinstance(op, PaymentRefund) and op.reservation is not None:
        return (op.reservation,)
    return ()


def _fingerprint(op: Operation) -> str:
    return op.claim.fingerprint if op.claim is not None else ""


def identities(op: Operation) -> set[object]:
    """What one transaction may name once only: its reservation and its idempotency key."""
    found: set[object] = set(_reservation_ids(op))
    if op.claim is not None:
        found.add(op.claim.key)
    return found
