"""The snapshot: one organisation, its callers, wallets, limits, stops and prices at a revision."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.policy import PolicyFile
from gateway.pricing import PriceBook
from gateway.snapshot.cards import Caller, OrganizationCard, StopCard
from wallets.cascade import WalletCard
from wallets.limits import Rule


class UnusablePolicy(Exception):
    """A policy file that says nothing this database can serve; the message is for its author."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything at one revision. ``callers`` by hex digest of the whole key, ``wallets`` by id.

    ``cache_generation`` rises when the organisation purges its response cache.
    """

    revision: tuple[int, int]
    policy: PolicyFile
    organization: OrganizationCard
    callers: Mapping[str, Caller]
    wallets: Mapping[int, WalletCard]
    limits: Mapping[str, list[Rule]]
    prices: PriceBook
    stopped_models: Mapping[str, StopCard] = field(default_factory=dict)
    stopped_providers: Mapping[str, StopCard] = field(default_factory=dict)
    in_debt: bool = False
    cache_generation: int = 0
