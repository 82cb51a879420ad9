"""What can be asked of the ledger: one small, immutable record per kind of movement.

All amounts are whole nano-dollars, already validated. Ids of reservations are fixed before the
first attempt (``keeptrusts.lib.ids.uuid7``), so that a repeat finds what the first attempt did.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from wallets.ledger.books import WalletRow

TTL = timedelta(seconds=120)
"""How long a hold lives without a heartbeat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """A wallet by primary key, with its rank in the lock order (user 0, team 1, organisation 2)."""

    id: int
    rank: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterUse:
    """A limit that a hold must fit into: held + spent + amount <= ``cap``, in one period.

    The columns after ``code`` say which reservations count: a counter that does not exist yet
    starts with what they have consumed since ``period_start``, so a limit set in mid-period holds
    at once.
    """

    key: str
    organization_id: int
    period_start: datetime
    cap: int
    code: str = "limit_exceeded"
    team_id: int | None = None
    user_id: int | None = None
    key_id: int | None = None
    consumer_group_id: int | None = None
    paid_by: int | None = None
    not_paid_by: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A wallet the cascade may try, in order. ``counters`` are caps on drawing from it."""

    wallet: Ref
    counters: tuple[CounterUse, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """An idempotency key: ``key`` is the digest to store, ``fingerprint`` that of the request
    body.
    """

    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What all operations share. ``attachment`` is handed to ``alongside`` untouched."""

    organization_id: int
    actor: str = "system"
    claim: Claimed | None = None
    attachment: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What a request may wait for instead of being refused, and for how long its place stands.

    ``reasons``: "contention" (other requests hold what would pay for it), "exhausted" (nobody has
    that much). The place is given up ``lease`` after it was last asked for or renewed
    (``wallets.waiting.renew``), so nobody waits behind a process that died. Places are in the order
    of the ids; ``since`` is the caller's own note. ``process`` names who waits.
    """

    reasons: frozenset[str]
    lease: timedelta = timedelta(seconds=5)
    since: datetime | None = None
    process: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserve(Operation):
    """Hold ``amount`` on the first candidate that covers it. Candidates rise in rank.

    With ``waiting`` it may take a place in the line of a wallet instead of being refused
    (``Result.waits``): ask again with the same id. ``prefers``: a wallet that covers so much goes
    before one that covers only ``amount``; for holds that grow. ``last``: it is decided after
    everything else in its batch, so that money a transfer of the same batch brings can pay for it.
    """

    id: UUID
    amount: int
    candidates: tuple[Candidate, ...]
    counters: tuple[CounterUse, ...] = ()
    kind: str = "usage"
    ttl: timedelta | None = TTL
    request_id: str = ""
    team_id: int | None = None
    user_id: int | None = None
    consumer_group_id: int | None = None
    key_id: int | None = None
    provider: str = ""
    model: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    waiting: Waiting | None = None
    prefers: int = 0
    last: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Extend(Operation):
    """Hold ``amount`` more on the same wallet: part ``part`` (1, 2, …) of the reservation.

    With ``waiting`` it may wait for other requests to give back what they hold ("contention").
    """

    id: UUID
    part: int
    amount: int
    counters: tuple[CounterUse, ...] = ()
    waiting: Waiting | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Move(Operation):
    """Return hold ``id`` whole and take ``to`` instead, both or neither.

    For a stream whose wallet has no more to give. ``to`` has an id of its own and candidates of the
    old wallet's rank or above; it never waits. Limits look at what the move adds. The cost known so
    far (``Heartbeat.checkpoint``) goes along. Repeated, it answers as the first time.
    """

    id: UUID
    to: Reserve


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle(Operation):
    """Replace the hold by the actual ``cost``; a late one charges what the expiry did not.

    ``provider``: who was paid, where it is another one than at the reserve.
    """

    id: UUID
    cost: int
    provider: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund(Operation):
    """Return the hold whole. A reservation that does not exist is nothing to do."""

    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep(Operation):
    """Close a hold that is due: charge its checkpoint, return the rest.

    Due: past ``expires_at``, or last heartbeat at least ``older_than`` ago where that is given.
    """

    id: UUID
    older_than: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat(Operation):
    """The request is alive: move ``expires_at`` on and note the cost so far. Touches no wallet."""

    id: UUID
    checkpoint: int
    ttl: timedelta = TTL


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit(Operation):
    """Money enters a wallet: ``type`` credit or payment_capture. ``reference`` books once, ever."""

    wallet: Ref
    amount: int
    type: str = "credit"
    reference: str | None = None
    reason: str = ""
    notes: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One movement of a transfer; ``amount`` None means all that is available."""

    source: Ref
    target: Ref
    amount: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer(Operation):
    """Move money between wallets, all legs or none. ``reason``: allocation, reclaim,
    replenishment.
    """

    id: UUID
    legs: tuple[Leg, ...]
    reason: str = "allocation"
    notes: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRefund(Operation):
    """A payment went back: take what is free, owe the rest. ``reference`` books once, ever.

    With ``reservation`` the amount was held before; the hold is closed by the same entry.
    """

    wallet: Ref
    amount: int
    reference: str
    reservation: UUID | None = None
    notes: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expire(Operation):
    """Unused credit leaves. ``compute(row)`` runs under the lock and says how much is due."""

    wallet: Ref
    compute: "Callable[[WalletRow], int]"
    notes: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjust(Operation):
    """Correct a settled charge: ``amount`` > 0 gives money back, < 0 takes more."""

    id: UUID
    amount: int
    notes: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note(Operation):
    """Moves nothing: rides along in the batch so that its attachment is written with it."""
