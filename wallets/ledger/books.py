"""The rows a batch has locked, as plain Python, and what the batch will write.

Decisions read and change these objects; nothing touches the database until all are made. All
amounts are whole nano-dollars.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from keeptrusts.lib import money
from wallets.errors import BalanceLimit
from wallets.ledger.operations import CounterUse, Extend, Reserve, Waiting

Turn = tuple[int, UUID]
"""Where somebody stands in the line of a wallet, see ``wallets.ledger.line``."""


@dataclass(slots=True)
class EntryRow:
    """One entry to insert; columns as in ``wallets.models.Entry``."""

    organization_id: int
    wallet_id: int
    seq: int
    type: str
    d_posted: int
    d_reserved: int
    d_debt: int
    posted_after: int
    reserved_after: int
    debt_after: int
    contra: str
    actor: str
    reason: str = ""
    transfer: UUID | None = None
    reservation: UUID | None = None
    part: int = 0
    reference: str | None = None
    notes: str = ""
    provider: str = ""
    model: str = ""


@dataclass(slots=True)
class WalletRow:
    """A locked wallet. ``post`` is the only way its numbers change.

    ``contested``: somebody may be waiting for its money.
    """

    id: int
    organization_id: int
    scope: str
    posted: int
    reserved: int
    debt: int
    seq: int
    total_allocated: int
    total_spent: int
    funded_balance: int
    frozen: bool
    contested: bool = False
    touched: bool = False

    @property
    def available(self) -> int:
        """What a hold or transfer may take: nothing while debt is left."""
        return max(0, self.posted - self.reserved - self.debt)

    @property
    def balance(self) -> int:
        """posted - reserved - debt; what is shown."""
        return self.posted - self.reserved - self.debt

    def room_for(self, amount: int) -> None:
        """Raise ``BalanceLimit`` if ``amount`` more would exceed what a wallet may hold."""
        if self.posted + amount > money.MAX_BALANCE:
            raise BalanceLimit("A wallet can hold at most 4,000,000,000 US dollars.")

    def post(
        self, type: str, *, posted: int = 0, reserved: int = 0, debt: int = 0, contra: str,
        actor: str, **columns: Any,
    ) -> EntryRow:  # fmt: skip
        """Apply a movement, let freed money repay debt first, and return its entry."""
        self.posted += posted
        self.reserved += reserved
        self.debt += debt
        repaid = min(self.debt, self.posted - self.reserved)
        if repaid > 0:
            self.posted -= repaid
            self.debt -= repaid
        else:
            repaid = 0
        self.seq += 1
        self.touched = True
        return EntryRow(
            self.organization_id, self.id, self.seq, type,
            posted - repaid, reserved, debt - repaid,
            self.posted, self.reserved, self.debt,
            contra, actor, **columns,
        )  # fmt: skip


@dataclass(slots=True)
class ReservationRow:
    """A locked (or new) reservation; columns as in ``wallets.models.Reservation``."""

    id: UUID
    organization_id: int
    wallet_id: int
    wallet_rank: int
    kind: str
    state: str
    amount: int
    parts: int
    checkpoint: int
    cost: int | None
    charged: int
    written_off: int
    adjusted: int
    adjustments: int
    provider: str
    model: str
    counters: list[str]
    now: datetime | None = None
    heartbeat_at: datetime | None = None
    expires_at: datetime | None = None
    request_id: str = ""
    team_id: int | None = None
    user_id: int | None = None
    consumer_group_id: int | None = None
    key_id: int | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    ttl_seconds: float | None = None
    new: bool = False
    touched: bool = False
    beaten: bool = False

    @property
    def closed(self) -> bool:
        """Whether the hold is gone."""
        return self.state != "held"


@dataclass(slots=True)
class CounterRow:
    """A locked limit counter of one period."""

    key: str
    held: int
    spent: int
    touched: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """That the operation of this id waited before. ``dismissed``: it may not wait any longer."""

    id: UUID
    organization_id: int
    dismissed: bool


@dataclass(frozen=True, slots=True)
class WaiterRow:
    """Somebody alive in the line of a wallet; ``patient`` where it has waited for long."""

    id: UUID
    wallet_id: int
    part: int
    amount: int
    patient: bool

    @property
    def turn(self) -> Turn:
        """Extensions first, then by id."""
        return (0 if self.part else 1, self.id)


@dataclass(frozen=True, slots=True)
class WantRow:
    """A place that was taken or kept: what waits, for which wallet, and why."""

    operation: Reserve | Extend
    waiting: Waiting
    wallet_id: int
    reason: str


@dataclass(slots=True)
class Books:
    """Everything one transaction has locked, and the rows it will write."""

    wallets: dict[int, WalletRow] = field(default_factory=dict)
    reservations: dict[UUID, ReservationRow] = field(default_factory=dict)
    counters: dict[str, CounterRow] = field(default_factory=dict)
    references: dict[tuple[str, str], tuple[int, int, int]] = field(default_factory=dict)
    entries: list[EntryRow] = field(default_factory=list)
    lots: list[tuple[WalletRow, int, int, datetime]] = field(default_factory=list)
    places: dict[UUID, Place] = field(default_factory=dict)
    waiters: dict[int, list[WaiterRow]] = field(default_factory=dict)
    wants: list[WantRow] = field(default_factory=list)
    left: set[UUID] = field(default_factory=set)

    def exceeded(
        self, uses: tuple[CounterUse, ...], amount: int, returned: ReservationRow | None = None
    ) -> CounterUse | None:
        """The first limit that ``amount`` more would exceed once ``returned`` is given back."""
        for use in uses:
            row = self.counters[use.key]
            less = returned.amount if returned and use.key in returned.counters else 0
            if row.held + row.spent + amount - less > use.cap:
                return use
        return None

    def hold(self, keys: list[str], amount: int) -> None:
        """Count ``amount`` as held under each limit."""
        for key in keys:
            row = self.counters[key]
            row.held += amount
            row.touched = True

    def release(self, keys: list[str], *, held: int, spent: int) -> None:
        """A hold closes: what was ``held`` leaves, what was ``spent`` stays for the period."""
        for key in keys:
            row = self.counters[key]
            row.held -= held
            row.spent += spent
            row.touched = True
