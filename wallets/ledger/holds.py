"""Decisions about holds: reserve, extend, move, settle, refund, sweep, heartbeat. Pure Python on
locked rows.

Every function checks all before it changes anything, so a refusal leaves the books as they were.
"""

from wallets.errors import (
    Conflict,
    InDebt,
    InsufficientFunds,
    LimitExceeded,
    NotFound,
    WalletFrozen,
)
from wallets.ledger import line
from wallets.ledger.books import Books, ReservationRow, Turn, WalletRow
from wallets.ledger.operations import (
    Candidate,
    CounterUse,
    Extend,
    Heartbeat,
    Move,
    Refund,
    Reserve,
    Settle,
    Sweep,
)
from wallets.ledger.results import Result, refused
from wallets.models import Entry


def repeated(operation: Reserve, row: ReservationRow, books: Books) -> Result:
    """A reserve whose id is there already: the same hold, or a mistake of the caller's."""
    if row.parts == 1 and row.amount != operation.amount or row.kind != operation.kind:
        return refused(Conflict("This id holds another amount.", amount=row.amount))
    return replayed(row, books)


def replayed(row: ReservationRow, books: Books) -> Result:
    """The result an earlier attempt had; its wallet need not be locked."""
    wallet = books.wallets.get(row.wallet_id)
    return Result(
        replayed=True, state=row.state, wallet_id=row.wallet_id, reservation=row.id,
        balance=wallet.balance if wallet else 0, amount=row.amount,
        charged=row.charged, written_off=row.written_off,
    )  # fmt: skip


def _limit_refusal(use: CounterUse, books: Books, amount: int) -> LimitExceeded:
    counter = books.counters[use.key]
    return LimitExceeded(
        "The request would exceed a spending limit.", code=use.code, limit=use.cap,
        spent=counter.spent, held=counter.held, amount=amount, counter=use.key,
    )  # fmt: skip


def reserve(
    operation: Reserve, candidate: Candidate, last: bool, books: Books, *,
    turn: Turn | None, old: ReservationRow | None = None,
) -> Result | None:  # fmt: skip
    """Try one candidate. None: it does not cover the amount, try the next one.

    ``turn`` is the caller's place in the lines, ``old`` a hold that is given back for this one.
    """
    wanted = max(operation.amount, operation.prefers)
    found = _tried(operation, candidate, last, books, turn=turn, old=old, covering=wanted)
    if found is None or found.ok or wanted == operation.amount:
        return found
    # No wallet covers what is preferred: the first one that covers the amount. All are locked.
    for passed in operation.candidates:
        again = _tried(operation, passed, last, books, turn=turn, old=old)
        if passed is candidate or (again is not None and again.ok):
            return again
    return found


def _tried(
    operation: Reserve, candidate: Candidate, last: bool, books: Books, *,
    turn: Turn | None, old: ReservationRow | None, covering: int = 0,
) -> Result | None:  # fmt: skip
    limit = books.exceeded(operation.counters, operation.amount, old)
    if limit is not None:
        return refused(_limit_refusal(limit, books, operation.amount))
    wallet = books.wallets.get(candidate.wallet.id)
    if wallet is None or wallet.organization_id != operation.organization_id:
        return refused(NotFound("The wallet does not exist."))
    if wallet.frozen:
        return refused(WalletFrozen("The wallet is frozen.", wallet_id=wallet.id))
    capped = books.exceeded(candidate.counters, operation.amount, old)
    returned = old.amount if old is not None and old.wallet_id == wallet.id else 0
    covering = max(covering, operation.amount)
    if capped is None and line.fits(covering, wallet, turn, books, returned=returned):
        return _exchanged(operation, candidate, wallet, books, old)
    if capped is None and not last:
        return None
    return refused(_shortage(operation, wallet, capped, books))


def _shortage(
    operation: Reserve, wallet: WalletRow, capped: CounterUse | None, books: Books
) -> InsufficientFunds | InDebt:
    if wallet.debt and capped is None and wallet.scope == "organization":
        return InDebt("The organization wallet owes money.", debt=wallet.debt, wallet_id=wallet.id)
    tried = [
        books.wallets[c.wallet.id] for c in operation.candidates if c.wallet.id in books.wallets
    ]
    return InsufficientFunds(
        "No wallet that may pay has enough available.",
        amount=operation.amount,
        balances={row.id: row.balance for row in tried},
        draw_cap=capped.code if capped else None,
        contended=any(row.posted - row.debt >= operation.amount for row in tried),
    )


def _exchanged(
    operation: Reserve, candidate: Candidate, wallet: WalletRow, books: Books,
    old: ReservationRow | None,
) -> Result:  # fmt: skip
    """Open the hold; ``old`` goes back first, its cost so far is known to the new one."""
    if old is None:
        return _open(operation, candidate, wallet, books)
    closed = close(
        old, books.wallets[old.wallet_id], books, cost=0, state="refunded", actor=operation.actor,
        reason="moved",
    )  # fmt: skip
    opened = _open(operation, candidate, wallet, books)
    books.reservations[operation.id].checkpoint = old.checkpoint
    opened.seqs = closed.seqs + opened.seqs
    return opened


def move(
    operation: Move, candidate: Candidate, last: bool, row: ReservationRow, books: Books
) -> Result | None:
    """Try one candidate of the new hold; the old one is returned only with it."""
    if row.closed:
        return refused(Conflict("The reservation is closed.", state=row.state))
    to = operation.to
    if to.organization_id != row.organization_id or to.kind != row.kind or row.kind != "usage":
        return refused(NotFound("The reservation does not exist."))
    if candidate.wallet.rank < row.wallet_rank:
        return refused(Conflict("A hold moves to a wallet of its own rank or above."))
    return reserve(to, candidate, last, books, turn=(line.EXTENDING, row.id), old=row)


def _open(operation: Reserve, candidate: Candidate, wallet: WalletRow, books: Books) -> Result:
    keys = [use.key for use in (*operation.counters, *candidate.counters)]
    entry = wallet.post(
        "reserve", reserved=operation.amount, contra="hold", actor=operation.actor,
        reservation=operation.id, provider=operation.provider, model=operation.model,
    )  # fmt: skip
    books.entries.append(entry)
    books.hold(keys, operation.amount)
    books.reservations[operation.id] = ReservationRow(
        id=operation.id, organization_id=operation.organization_id, wallet_id=wallet.id,
        wallet_rank=candidate.wallet.rank, kind=operation.kind, state="held",
        amount=operation.amount, parts=1, checkpoint=0, cost=None, charged=0, written_off=0,
        adjusted=0, adjustments=0, provider=operation.provider, model=operation.model,
        counters=keys, request_id=operation.request_id, team_id=operation.team_id,
        user_id=operation.user_id, consumer_group_id=operation.consumer_group_id,
        key_id=operation.key_id, facts=dict(operation.facts), new=True,
        ttl_seconds=None if operation.ttl is None else operation.ttl.total_seconds(),
    )  # fmt: skip
    return Result(
        state="held", wallet_id=wallet.id, balance=wallet.balance, amount=operation.amount,
        seqs=[(wallet.id, entry.seq)], reservation=operation.id,
    )  # fmt: skip


def extend(operation: Extend, row: ReservationRow, wallet: WalletRow, books: Books) -> Result:
    """Hold more on the same wallet; repeating a part that is there changes nothing."""
    if row.closed:
        return refused(Conflict("The reservation is closed.", state=row.state))
    if operation.part < row.parts:
        return replayed(row, books)
    if operation.part != row.parts or operation.part >= Entry.CLOSING:
        return refused(Conflict("Parts are numbered without gaps.", next_part=row.parts))
    if wallet.frozen:
        return refused(WalletFrozen("The wallet is frozen.", wallet_id=wallet.id))
    limit = books.exceeded(operation.counters, operation.amount)
    if limit is not None:
        return refused(_limit_refusal(limit, books, operation.amount))
    if not line.fits(operation.amount, wallet, (line.EXTENDING, row.id), books):
        return refused(
            InsufficientFunds(
                "The wallet does not cover the extension.",
                amount=operation.amount,
                balances={wallet.id: wallet.balance},
                contended=wallet.posted - wallet.debt - row.amount >= operation.amount,
            )
        )
    return _extended(operation, row, wallet, books)


def _extended(operation: Extend, row: ReservationRow, wallet: WalletRow, books: Books) -> Result:
    entry = wallet.post(
        "reserve", reserved=operation.amount, contra="hold", actor=operation.actor,
        reservation=row.id, part=operation.part, provider=row.provider, model=row.model,
    )  # fmt: skip
    books.entries.append(entry)
    books.hold(row.counters, operation.amount)
    row.amount += operation.amount
    row.parts += 1
    row.touched = True
    return Result(
        state="held", wallet_id=wallet.id, balance=wallet.balance, amount=row.amount,
        seqs=[(wallet.id, entry.seq)], reservation=row.id,
    )  # fmt: skip


def settle(operation: Settle, row: ReservationRow, wallet: WalletRow, books: Books) -> Result:
    """Charge the actual cost, as far as hold and balance go; the rest is written off."""
    row.provider = operation.provider or row.provider
    if row.state == "held":
        return close(
            row, wallet, books, cost=operation.cost, state="settled", actor=operation.actor
        )
    if row.state == "expired":
        return _settle_late(operation, row, wallet, books)
    if row.state == "settled" and row.cost == operation.cost:
        return replayed(row, books)
    # What the expiry charged stays, so a late settle ends at the dearer of cost and checkpoint.
    if row.state == "settled_late" and row.cost == max(operation.cost, row.checkpoint):
        return replayed(row, books)
    return refused(
        Conflict("The reservation was closed with another cost.", state=row.state, cost=row.cost)
    )


def close(
    row: ReservationRow, wallet: WalletRow, books: Books, *, cost: int, state: str, actor: str,
    reason: str = "",
) -> Result:  # fmt: skip
    """Drop the whole hold and charge ``cost`` in one entry: ``settle``, or ``refund`` at no
    charge.
    """
    charge = min(cost, row.amount + wallet.available)
    entry = wallet.post(
        "settle" if charge else "refund", posted=-charge, reserved=-row.amount, contra="usage",
        actor=actor, reservation=row.id, part=Entry.CLOSING, reason=reason,
        provider=row.provider, model=row.model,
    )  # fmt: skip
    wallet.total_spent += charge
    books.entries.append(entry)
    books.release(row.counters, held=row.amount, spent=charge)
    row.state, row.cost, row.charged, row.written_off = state, cost, charge, cost - charge
    row.touched = True
    return _closed(row, wallet, [(wallet.id, entry.seq)])


def _closed(row: ReservationRow, wallet: WalletRow, seqs: list[tuple[int, int]]) -> Result:
    return Result(
        state=row.state, wallet_id=wallet.id, balance=wallet.balance, amount=row.amount,
        charged=row.charged, written_off=row.written_off, seqs=seqs, reservation=row.id,
    )  # fmt: skip


def _settle_late(operation: Settle, row: ReservationRow, wallet: WalletRow, books: Books) -> Result:
    """The hold had expired: charge what the expiry did not, from what is available now."""
    due = max(0, operation.cost - row.charged - row.written_off)
    charge = min(due, wallet.available)
    seqs = []
    if charge:
        entry = wallet.post(
            "settle", posted=-charge, contra="usage", actor=operation.actor, reason="late",
            reservation=row.id, part=Entry.LATE, provider=row.provider, model=row.model,
        )  # fmt: skip
        wallet.total_spent += charge
        books.entries.append(entry)
        books.release(row.counters, held=0, spent=charge)
        seqs.append((wallet.id, entry.seq))
    row.charged += charge
    row.written_off += due - charge
    row.cost = row.charged + row.written_off
    row.state = "settled_late"
    row.touched = True
    return _closed(row, wallet, seqs)


def refund(operation: Refund, row: ReservationRow, wallet: WalletRow, books: Books) -> Result:
    """Return the hold whole; a hold that is gone already stays as it ended."""
    if row.closed:
        return replayed(row, books)
    return close(row, wallet, books, cost=0, state="refunded", actor=operation.actor)


def is_due(operation: Sweep, row: ReservationRow) -> bool:
    """Whether a sweep may close this hold, by the database's clock under the lock."""
    if row.closed or row.kind != "usage" or row.now is None:
        return False
    if operation.older_than is not None and row.heartbeat_at is not None:
        return row.heartbeat_at <= row.now - operation.older_than
    return row.expires_at is not None and row.expires_at <= row.now


def sweep(operation: Sweep, row: ReservationRow, wallet: WalletRow, books: Books) -> Result:
    """Close a due hold by its checkpoint; one that was settled or is alive stays."""
    if not is_due(operation, row):
        return replayed(row, books)
    return close(
        row, wallet, books, cost=row.checkpoint, state="expired", actor=operation.actor,
        reason="swept",
    )  # fmt: skip


def heartbeat(operation: Heartbeat, row: ReservationRow, books: Books) -> Result:
    """Prolong an open hold; a closed one tells its owner to stop."""
    if row.closed:
        return refused(Conflict("The reservation is closed.", state=row.state))
    row.checkpoint = max(row.checkpoint, operation.checkpoint)
    row.ttl_seconds = operation.ttl.total_seconds()
    row.beaten = row.touched = True
    return Result(state="held", wallet_id=row.wallet_id, amount=row.amount, reservation=row.id)
