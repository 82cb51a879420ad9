"""The job that lets unused credits leave when they expire, computed under the wallet's lock."""

from datetime import datetime

from django.utils import timezone

from wallets import ledger, lots
from wallets.allocations import ref
from wallets.ledger.books import WalletRow
from wallets.ledger.posting import Pairs
from wallets.models import CreditLot, Entry, LotPosition, Wallet


def expire_credits(*, now: datetime | None = None, actor: str = "system") -> int:
    """Expire what is due in every wallet; returns the nano-dollars that left. Safe to run twice.

    Money on hold or lent to teams stays and is looked at again on a later run.
    """
    now = now or timezone.now()
    wallets = Wallet.objects.filter(lots__expires_at__lte=now, lots__expired_amount=None)
    return sum(_expire(wallet, now, actor) for wallet in wallets.distinct().order_by("id"))


def _expire(wallet: Wallet, now: datetime, actor: str) -> int:
    seen: list[lots.Position] = []

    def compute(row: WalletRow) -> int:
        position = _replayed(wallet, row.seq)
        seen.append(position)
        return lots.due(position, _expiries(wallet), now)

    def remember(_: Pairs) -> None:
        _store(wallet, seen[-1], now)

    operation = ledger.Expire(
        organization_id=wallet.organization_id, wallet=ref(wallet), compute=compute, actor=actor,
        notes="Credit expired.",
    )  # fmt: skip
    result = ledger.post_one(operation, alongside=remember)
    if result.amount:
        ledger.post_one(
            ledger.Expire(
                organization_id=wallet.organization_id,
                wallet=ref(wallet),
                actor=actor,
                compute=lambda row: _settle_position(wallet, row, now),
            )  # fmt: skip
        )
    return result.amount


def _settle_position(wallet: Wallet, row: WalletRow, now: datetime) -> int:
    """Replay the expiry itself, so that a lot that is empty now counts as expired."""
    _store(wallet, _replayed(wallet, row.seq), now)
    return 0


def _replayed(wallet: Wallet, until: int) -> lots.Position:
    position = _load(wallet)
    rows = Entry.objects.filter(wallet=wallet, seq__gt=position.seq, seq__lte=until)
    moved = rows.exclude(d_posted=0).order_by("seq")
    movements = (
        lots.Movement(*row)
        for row in moved.values_list("seq", "type", "d_posted", "contra").iterator()
    )
    opened = dict(CreditLot.objects.filter(wallet=wallet).values_list("seq", "id"))
    lots.replay(position, movements, opened, _expiries(wallet))
    position.seq = until
    return position


def _expiries(wallet: Wallet) -> dict[int, datetime]:
    return dict(CreditLot.objects.filter(wallet=wallet).values_list("id", "expires_at"))


def _load(wallet: Wallet) -> lots.Position:
    stored = LotPosition.objects.filter(wallet=wallet).first()
    if stored is None:
        return lots.Position()
    return lots.Position(
        seq=stored.seq,
        left={lots.PLAIN: stored.plain, **dict(stored.lots)},
        expired={int(lot): amount for lot, amount in stored.expired.items()},
        lent={
            child: [(lot, amount) for lot, amount in parts] for child, parts in stored.lent.items()
        },
    )


def _store(wallet: Wallet, position: lots.Position, now: datetime) -> None:
    """Keep where the replay stands; close lots that are past, empty and lent to nobody."""
    LotPosition.objects.update_or_create(
        wallet=wallet,
        defaults={
            "seq": position.seq,
            "plain": position.left.get(lots.PLAIN, 0),
            "lots": [[lot, left] for lot, left in position.left.items() if lot != lots.PLAIN],
            "expired": {str(lot): amount for lot, amount in position.expired.items()},
            "lent": {child: parts for child, parts in position.lent.items() if parts},
        },
    )
    lent = {lot for parts in position.lent.values() for lot, _ in parts}
    open_lots = CreditLot.objects.filter(wallet=wallet, expired_amount=None, expires_at__lte=now)
    for lot in open_lots:
        if lot.pk not in lent and not position.left.get(lot.pk):
            lot.expired_amount = position.expired.get(lot.pk, 0)
            lot.save(update_fields=["expired_amount"])
