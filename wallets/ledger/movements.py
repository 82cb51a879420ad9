"""Decisions about money that moves outside holds: credits, transfers, payments, expiry,
adjustments.
"""

from collections import defaultdict
from typing import Any

from wallets.errors import Conflict, InDebt, InsufficientFunds, NotFound
from wallets.ledger.books import Books, EntryRow, ReservationRow, WalletRow
from wallets.ledger.operations import Adjust, Credit, Expire, Leg, PaymentRefund, Transfer
from wallets.ledger.results import Result, refused
from wallets.models import Entry


def _done(wallet: WalletRow, amount: int, entries: list[EntryRow], state: str) -> Result:
    return Result(
        state=state, wallet_id=wallet.id, balance=wallet.balance, amount=amount,
        seqs=[(entry.wallet_id, entry.seq) for entry in entries],
    )  # fmt: skip


def _booked_before(
    books: Books, wallet: WalletRow, type: str, reference: str | None, amount: int
) -> Result | None:
    """A payment that was booked gets its answer again; one that says something else is refused."""
    if reference is None or (type, reference) not in books.references:
        return None
    wallet_id, seq, booked = books.references[type, reference]
    if (wallet_id, abs(booked)) != (wallet.id, amount):
        return refused(Conflict("This reference was booked for another wallet or amount."))
    return Result(
        replayed=True, state="booked", wallet_id=wallet_id, amount=amount,
        balance=wallet.balance, seqs=[(wallet_id, seq)],
    )  # fmt: skip


def _remember(books: Books, entry: EntryRow) -> None:
    """The same reference again in this batch finds what this entry booked."""
    if entry.reference is not None:
        amount = entry.d_posted - entry.d_debt
        books.references[entry.type, entry.reference] = (entry.wallet_id, entry.seq, amount)


def credit(operation: Credit, wallet: WalletRow, books: Books) -> Result:
    """Money in; debt is repaid first, in the same entry."""
    before = _booked_before(books, wallet, operation.type, operation.reference, operation.amount)
    if before is not None:
        return before
    wallet.room_for(operation.amount)
    entry = wallet.post(
        operation.type, posted=operation.amount, actor=operation.actor,
        contra="paypal" if operation.type == "payment_capture" else "credit",
        reference=operation.reference, notes=operation.notes,
        reason=operation.reason,
    )  # fmt: skip
    wallet.total_allocated += operation.amount
    wallet.funded_balance = wallet.balance
    books.entries.append(entry)
    _remember(books, entry)
    if operation.expires_at is not None:
        books.lots.append((wallet, entry.seq, operation.amount, operation.expires_at))
    return _done(wallet, operation.amount, [entry], "booked")


def transfer(operation: Transfer, books: Books) -> Result:
    """All legs or none: every source is checked against the sum it must give first."""
    for leg in operation.legs:
        for ref in (leg.source, leg.target):
            row = books.wallets.get(ref.id)
            if row is None or row.organization_id != operation.organization_id:
                return refused(NotFound("The wallet does not exist."))
    legs = [_with_amount(leg, books) for leg in operation.legs]
    _check_sources(legs, books)
    _check_targets(legs, books)
    entries = [entry for leg in legs for entry in _move(operation, leg, books)]
    books.entries.extend(entries)
    total = sum(amount for _, _, amount in legs)
    return _done(books.wallets[operation.legs[0].target.id], total, entries, "moved")


def _with_amount(leg: Leg, books: Books) -> tuple[WalletRow, WalletRow, int]:
    source, target = books.wallets[leg.source.id], books.wallets[leg.target.id]
    return source, target, source.available if leg.amount is None else leg.amount


def _check_sources(legs: list[tuple[WalletRow, WalletRow, int]], books: Books) -> None:
    needed: dict[int, int] = defaultdict(int)
    for source, _, amount in legs:
        if source.debt:
            raise InDebt(
                "The wallet owes money; nothing can be moved out of it until that is repaid.",
                wallet_id=source.id, debt=source.debt,
            )  # fmt: skip
        needed[source.id] += amount
    for wallet_id, amount in needed.items():
        row = books.wallets[wallet_id]
        if amount <= 0 or row.available < amount:
            raise InsufficientFunds(
                "The wallet has nothing available." if amount <= 0
                else "The wallet does not have that much available.",
                status_hint="transfer", amount=amount, available=row.available, wallet_id=row.id,
            )  # fmt: skip


def _check_targets(legs: list[tuple[WalletRow, WalletRow, int]], books: Books) -> None:
    coming: dict[int, int] = defaultdict(int)
    for _, target, amount in legs:
        coming[target.id] += amount
    for wallet_id, amount in coming.items():
        books.wallets[wallet_id].room_for(amount)


def _move(
    operation: Transfer, leg: tuple[WalletRow, WalletRow, int], books: Books
) -> tuple[EntryRow, EntryRow]:
    source, target, amount = leg
    columns: dict[str, Any] = {"transfer": operation.id, "reason": operation.reason}
    columns["notes"] = operation.notes
    out = source.post(
        "allocation_out", posted=-amount, contra=f"wallet:{target.id}", actor=operation.actor,
        **columns,
    )  # fmt: skip
    into = target.post(
        "allocation_in", posted=amount, contra=f"wallet:{source.id}", actor=operation.actor,
        **columns,
    )  # fmt: skip
    if operation.reason != "reclaim":
        target.total_allocated += amount
    target.funded_balance = target.balance
    return out, into


def payment_refund(
    operation: PaymentRefund, wallet: WalletRow, row: ReservationRow | None, books: Books
) -> Result:
    """Take what is free (and was held for it); what is missing becomes debt."""
    before = _booked_before(books, wallet, "payment_refund", operation.reference, operation.amount)
    if before is not None:
        return before
    held = 0
    if operation.reservation is not None:
        if row is None or row.wallet_id != wallet.id or row.kind == "usage":
            return refused(NotFound("The reservation does not exist."))
        if row.closed:
            return refused(Conflict("The reservation is closed.", state=row.state))
        held = row.amount
        row.state, row.touched = "settled", True
        row.cost = row.charged = min(operation.amount, held)
        books.release(row.counters, held=held, spent=0)
    taken = min(operation.amount, wallet.posted - wallet.reserved + held)
    entry = wallet.post(
        "payment_refund", posted=-taken, reserved=-held, debt=operation.amount - taken,
        contra="paypal", actor=operation.actor, reference=operation.reference,
        reservation=row.id if row else None, part=Entry.CLOSING if row else 0,
        notes=operation.notes,
    )  # fmt: skip
    books.entries.append(entry)
    _remember(books, entry)
    return _done(wallet, operation.amount, [entry], "booked")


def expire(operation: Expire, wallet: WalletRow, books: Books) -> Result:
    """What ``compute`` finds due leaves, as far as it is available (not on hold, not owed)."""
    amount = min(operation.compute(wallet), wallet.available)
    if amount <= 0:
        return _done(wallet, 0, [], "nothing_due")
    entry = wallet.post(
        "expiry", posted=-amount, contra="expired", actor=operation.actor, notes=operation.notes
    )
    books.entries.append(entry)
    return _done(wallet, amount, [entry], "expired")


def adjust(operation: Adjust, row: ReservationRow, wallet: WalletRow, books: Books) -> Result:
    """Give back at most what the charge still stands at, or take more within the balance."""
    if row.state not in ("settled", "expired", "settled_late") or row.kind != "usage":
        return refused(Conflict("Only a settled charge can be adjusted.", state=row.state))
    if operation.amount > row.charged + row.adjusted:
        return refused(
            Conflict(
                "More than was charged cannot be given back.", charged=row.charged + row.adjusted
            )
        )
    if -operation.amount > wallet.available:
        return refused(
            InsufficientFunds(
                "The wallet does not have that much available.",
                amount=-operation.amount,
                available=wallet.available,
                wallet_id=wallet.id,
            )  # fmt: skip
        )
    return _adjusted(operation, row, wallet, books)


def _adjusted(operation: Adjust, row: ReservationRow, wallet: WalletRow, books: Books) -> Result:
    wallet.room_for(max(0, operation.amount))
    entry = wallet.post(
        "adjustment", posted=operation.amount, contra="adjustment", actor=operation.actor,
        reservation=row.id, part=Entry.ADJUSTED + row.adjustments, notes=operation.notes,
        provider=row.provider, model=row.model,
    )  # fmt: skip
    wallet.total_spent -= operation.amount
    row.adjusted -= operation.amount
    row.adjustments += 1
    row.touched = True
    books.entries.append(entry)
    return _done(wallet, operation.amount, [entry], "adjusted")
