"""What is left of credits that expire: a pure replay of a wallet's entries.

Outflows consume the earliest expiry first, then money that never expires. An allocation lends the
parts it took to the wallet below; a reclaim restores them, the latest expiry first, because what
was spent below was the earliest. All nano-dollars; nothing here touches the database.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

PLAIN = 0
"""Stands for money that never expires where a lot id is expected."""


@dataclass(frozen=True, slots=True)
class Movement:
    """The part of an entry a replay needs. ``contra`` is ``wallet:<id>`` for transfers."""

    seq: int
    type: str
    d_posted: int
    contra: str


@dataclass(slots=True)
class Position:
    """What is left where: by lot (``PLAIN`` included), what is lent to whom, what has expired."""

    seq: int = 0
    left: dict[int, int] = field(default_factory=dict)
    lent: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    expired: dict[int, int] = field(default_factory=dict)


def replay(
    position: Position,
    movements: Iterable[Movement],
    opened: Mapping[int, int],
    expires_at: Mapping[int, datetime],
) -> None:
    """Move ``position`` on over ``movements`` in order of seq.

    ``opened`` maps the seq of a credit to the lot it opened, ``expires_at`` lots to their expiry.
    """
    for movement in movements:
        position.seq = movement.seq
        if movement.d_posted > 0:
            _inflow(position, movement, opened, expires_at)
        elif movement.d_posted < 0:
            _outflow(position, movement, expires_at)


def due(position: Position, expires_at: Mapping[int, datetime], now: datetime) -> int:
    """How much of what is left has expired by ``now``."""
    return sum(
        amount for lot, amount in position.left.items() if lot != PLAIN and expires_at[lot] <= now
    )


def _inflow(
    position: Position,
    movement: Movement,
    opened: Mapping[int, int],
    expires_at: Mapping[int, datetime],
) -> None:
    if movement.type != "allocation_in":
        _add(position, opened.get(movement.seq, PLAIN), movement.d_posted)
        return
    wanted = movement.d_posted
    parts = position.lent.get(movement.contra, [])
    parts.sort(key=lambda part: _expiry_order(part[0], expires_at))
    while wanted and parts:
        lot, amount = parts.pop()
        taken = min(amount, wanted)
        _add(position, lot, taken)
        wanted -= taken
        if amount > taken:
            parts.append((lot, amount - taken))
    _add(position, PLAIN, wanted)


def _outflow(position: Position, movement: Movement, expires_at: Mapping[int, datetime]) -> None:
    wanted = -movement.d_posted
    for lot in sorted(position.left, key=lambda lot: _expiry_order(lot, expires_at)):
        taken = min(position.left[lot], wanted)
        if not taken:
            continue
        position.left[lot] -= taken
        wanted -= taken
        if movement.type == "allocation_out":
            position.lent.setdefault(movement.contra, []).append((lot, taken))
        elif movement.type == "expiry":
            position.expired[lot] = position.expired.get(lot, 0) + taken
    position.left = {lot: amount for lot, amount in position.left.items() if amount}


def _add(position: Position, lot: int, amount: int) -> None:
    if amount:
        position.left[lot] = position.left.get(lot, 0) + amount


def _expiry_order(lot: int, expires_at: Mapping[int, datetime]) -> tuple[bool, float, int]:
    """Earliest expiry first, money that never expires last."""
    return (lot == PLAIN, 0.0 if lot == PLAIN else expires_at[lot].timestamp(), lot)
