"""The rows of a snapshot: who may call, and everything a decision about them needs."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from gateway.policy.schema import Enforcement, FabricScope, Hold, OnExhausted, RateLimits
from wallets.cascade import WalletCard
from wallets.limits import Consumer


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationCard:
    """The organisation the policy file belongs to."""

    id: int
    public_id: str
    slug: str
    name: str
    zone: str
    active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamCard:
    """A team that is not archived. ``slug`` is what people and error bodies call it."""

    id: int
    slug: str
    name: str

    @property
    def public_id(self) -> str:
        """``team_<slug>``."""
        return f"team_{self.slug}"


@dataclass(frozen=True, slots=True)
class StopCard:
    """A pulled stop switch: what it stops, whether running requests end too, and why (may be
    empty).
    """

    scope: str
    cut: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What applies to one caller: its group's settings where it has them, else everybody's.

    Times in seconds. ``enforcement`` ``"shadow"``: everything passes and is recorded.
    ``write_off``: nano-dollars per team and day that no wallet need pay.
    """

    enforcement: Enforcement = True
    on_exhausted: OnExhausted = "block"
    on_exhausted_stream: str = "cut"
    hold: Hold = "progressive"
    hold_timeout: float = 30.0
    contention_wait: float = 10.0
    allows_unpriced: bool = False
    max_price_ratio: float | None = None
    write_off: int = 0
    fabric_scope: FabricScope = "team"
    rate_limits: RateLimits | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The holder of one key. ``wallet`` is the lowest that may pay; None: nobody has one for it.

    ``stop`` is the switch that stops this caller, None where none does; ``cut``: running requests
    end too, by this or another switch. ``allowed_models`` None: all.
    """

    organization_id: int
    team: TeamCard
    consumer: Consumer
    wallet: WalletCard | None
    key_id: int | None = None
    group_id: int | None = None
    group_name: str = ""
    user_id: int | None = None
    user_public_id: str = ""
    expires_at: datetime | None = None
    allowed_models: frozenset[str] | None = None
    default_tags: Mapping[str, str] = field(default_factory=dict)
    settings: Settings = Settings()
    stop: StopCard | None = None
    cut: bool = False

    @property
    def enforced(self) -> bool:
        """Whether a wallet must pay."""
        return self.settings.enforcement is True

    @property
    def actor(self) -> str:
        """Who acts, for ledger entries: opaque ids only."""
        return self.user_public_id or "gateway"


def digest(secret: str) -> str:
    """What is kept of a key: the SHA-256 of the whole secret, in hex."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
