"""Which wallets may pay for a consumer, in order: user, then team, then organisation.

Works on plain rows that gateways keep in memory. The wallet that pays is the first candidate whose
available balance covers the whole amount; the ledger decides that under its lock.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from wallets.ledger import Candidate, CounterUse, Ref
from wallets.limits import Consumer, counter_use
from wallets.models import Wallet


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletCard:
    """What does not change with every request: whose wallet it is and how it may draw upwards."""

    id: int
    public_id: str
    scope: str
    rank: int
    team_id: int | None
    user_id: int | None
    parent_id: int | None
    draws_on_parent: bool
    draw_per_day: int | None
    draw_per_month: int | None
    draw_caps: int = 0

    @property
    def ref(self) -> Ref:
        """The wallet as the ledger names it."""
        return Ref(id=self.id, rank=self.rank)

    @classmethod
    def of(cls, wallet: Wallet) -> "WalletCard":
        """The card of a wallet row."""
        return cls(
            id=wallet.pk, public_id=wallet.public_id, scope=wallet.scope, rank=wallet.rank,
            team_id=wallet.team_id, user_id=wallet.user_id, parent_id=wallet.parent_id,
            draws_on_parent=wallet.draws_on_parent, draw_per_day=wallet.draw_per_day,
            draw_per_month=wallet.draw_per_month,
            draw_caps=wallet.draw_caps,
        )  # fmt: skip


def candidates(
    lowest: WalletCard, cards: Mapping[int, WalletCard], consumer: Consumer, at: datetime
) -> tuple[Candidate, ...]:
    """The wallets a request may be paid from, starting with the consumer's own.

    Each further one carries the caps of everybody below who draws on it; a wallet that may not
    draw on its parent ends the chain.
    """
    chain = [Candidate(wallet=lowest.ref)]
    card, caps = lowest, tuple[CounterUse, ...]()
    while card.draws_on_parent and card.parent_id is not None:
        caps += _draw_caps(card, consumer, at)
        card = cards[card.parent_id]
        chain.append(Candidate(wallet=card.ref, counters=caps))
    return tuple(chain)


def _draw_caps(card: WalletCard, consumer: Consumer, at: datetime) -> tuple[CounterUse, ...]:
    paid: dict[str, int | None] = (
        {"user_id": card.user_id, "team_id": card.team_id, "not_paid_by": card.id}
        if card.scope == Wallet.Scope.USER
        else {"team_id": card.team_id, "paid_by": card.parent_id}
    )
    caps = (("day", card.draw_per_day), ("month", card.draw_per_month))
    return tuple(
        counter_use(
            f"draw:{card.id}:{card.draw_caps}", consumer, at, period=period, cap=cap, **paid
        )
        for period, cap in caps
        if cap is not None
    )
