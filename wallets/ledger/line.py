"""Who may take from a wallet that others wait for: first come, first served. Pure Python on rows
read under the wallet's lock.

A turn is (0, id) for an extension of a running stream, (1, id) for a hold that waits, (2, id) for
one that has just come. Whoever asks gets only what those before it leave. A hold that has waited
for ``PATIENCE`` keeps its place before other holds even where it does not fit yet, so that many
small requests do not starve a large one; running streams go past it, because what they hold is what
it waits for.
"""

from bisect import insort
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from wallets.errors import InDebt, InsufficientFunds, Refused, WalletFrozen
from wallets.ledger.books import Books, Turn, WaiterRow, WalletRow, WantRow
from wallets.ledger.operations import Candidate, Extend, Reserve, Waiting
from wallets.ledger.results import WAITING, Result, refused

PATIENCE = timedelta(seconds=2)
"""After this long a waiter is not passed by smaller ones any more."""
MAX_WAITERS = 1_000
"""On one wallet; the next is refused."""
CONTENTION, EXHAUSTED = "contention", "exhausted"
EXTENDING, IN_LINE, JUST_COME = 0, 1, 2


def turn_of(operation: Reserve, books: Books) -> Turn | None:
    """Where a hold stands; None for money held for a refund or a dispute, which minds no line."""
    if operation.kind != "usage":
        return None
    return (IN_LINE if operation.id in books.places else JUST_COME, operation.id)


def fits(
    amount: int, wallet: WalletRow, turn: Turn | None, books: Books, *, returned: int = 0
) -> bool:
    """Whether ``amount`` is available once everybody before ``turn`` has what they wait for.

    ``returned``: what the asker holds on this wallet and gives back in the same step.
    """
    left = max(0, wallet.balance + returned)
    if left < amount or turn is None:
        return left >= amount
    for waiter in books.waiters.get(wallet.id, ()):
        if waiter.turn >= turn:
            break
        if waiter.amount <= left:
            left -= waiter.amount
        elif waiter.patient and turn[0] > EXTENDING and _could_pay(wallet, waiter.amount):
            return False
        if left < amount:
            return False
    return True


def _could_pay(wallet: WalletRow, amount: int) -> bool:
    """Whether the wallet would cover ``amount`` if nobody held anything of it."""
    return wallet.posted - wallet.debt >= amount


def instead(
    operation: Reserve | Extend, refusal: Refused, books: Books, tried: Sequence[Candidate] = ()
) -> Result:
    """What becomes of a refused operation: a place in the line where it may have one.

    ``tried``: the candidates of a hold that were looked at, in order.
    """
    place = books.places.get(operation.id)
    if place is not None and place.dismissed:
        refusal.details["dismissed"] = True
        return refused(refusal)
    waiting = operation.waiting
    if waiting is None:
        return refused(refusal)
    spot = (
        _spot_of_hold(operation, waiting, refusal, books, tried)
        if isinstance(operation, Reserve)
        else _spot_of_extension(operation, waiting, refusal, books)
    )
    if spot is None:
        return refused(refusal)
    wallet, reason = spot
    if _is_full(wallet, operation.id, books):
        refusal.details["waiters_full"] = True
        return refused(refusal)
    return _wait(operation, waiting, wallet, reason, books)


def _spot_of_hold(
    operation: Reserve, waiting: Waiting, refusal: Refused, books: Books,
    tried: Sequence[Candidate],
) -> tuple[WalletRow, str] | None:  # fmt: skip
    """The wallet whose line it joins, and why."""
    if not isinstance(refusal, InsufficientFunds | InDebt | WalletFrozen):
        return None
    if CONTENTION in waiting.reasons:
        for candidate in tried:
            wallet = books.wallets[candidate.wallet.id]
            if _is_contended(operation, candidate, wallet, books):
                return wallet, CONTENTION
    short = isinstance(refusal, InsufficientFunds) and refusal.details["draw_cap"] is None
    if EXHAUSTED in waiting.reasons and short:
        return books.wallets[tried[0].wallet.id], EXHAUSTED
    return None


def _is_contended(
    operation: Reserve, candidate: Candidate, wallet: WalletRow, books: Books
) -> bool:
    return (
        wallet.organization_id == operation.organization_id
        and not wallet.frozen
        and _could_pay(wallet, operation.amount)
        and books.exceeded(candidate.counters, operation.amount) is None
    )


def _spot_of_extension(
    operation: Extend, waiting: Waiting, refusal: Refused, books: Books
) -> tuple[WalletRow, str] | None:
    contended = isinstance(refusal, InsufficientFunds) and refusal.details["contended"]
    if contended and CONTENTION in waiting.reasons:
        return books.wallets[books.reservations[operation.id].wallet_id], CONTENTION
    return None


def _is_full(wallet: WalletRow, id: UUID, books: Books) -> bool:
    line = books.waiters.get(wallet.id, [])
    return len(line) >= MAX_WAITERS and all(waiter.id != id for waiter in line)


def _wait(
    operation: Reserve | Extend, waiting: Waiting, wallet: WalletRow, reason: str, books: Books
) -> Result:
    books.wants.append(WantRow(operation, waiting, wallet.id, reason))
    before = _removed(operation.id, books)
    part = operation.part if isinstance(operation, Extend) else 0
    patient = before is not None and before.patient
    row = WaiterRow(operation.id, wallet.id, part, operation.amount, patient)
    insort(books.waiters.setdefault(wallet.id, []), row, key=lambda waiter: waiter.turn)
    return Result(
        state=WAITING, reason=reason, wallet_id=wallet.id, balance=wallet.balance,
        amount=operation.amount, reservation=operation.id,
    )  # fmt: skip


def leave(id: UUID, books: Books) -> None:
    """Give up the place of ``id``: those behind it move up at once."""
    books.left.add(id)
    _removed(id, books)


def _removed(id: UUID, books: Books) -> WaiterRow | None:
    """The place of ``id`` in the lines that were read, taken out."""
    for line in books.waiters.values():
        for number, waiter in enumerate(line):
            if waiter.id == id:
                return line.pop(number)
    return None
