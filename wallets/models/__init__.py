"""Tables of the ground: who owns money, how much, and every movement of it."""

from wallets.models.control import AuditRecord, Limit, LimitCounter, Revision, Stop
from wallets.models.crossing import Crossing
from wallets.models.keys import ApiToken, ConsumerGroup, GatewayKey
from wallets.models.people import (
    CostCentre,
    Membership,
    Organization,
    ServiceAccount,
    Team,
    TeamMembership,
    User,
)
from wallets.models.reservation import Claim, CreditLot, DeadLetter, LotPosition, Reservation
from wallets.models.tickets import CostTicket
from wallets.models.waiting import Waiter
from wallets.models.wallet import Entry, Wallet

__all__ = [
    "ApiToken",
    "AuditRecord",
    "Claim",
    "ConsumerGroup",
    "CostCentre",
    "CostTicket",
    "CreditLot",
    "Crossing",
    "DeadLetter",
    "Entry",
    "GatewayKey",
    "Limit",
    "LimitCounter",
    "LotPosition",
    "Membership",
    "Organization",
    "Reservation",
    "Revision",
    "ServiceAccount",
    "Stop",
    "Team",
    "TeamMembership",
    "User",
    "Waiter",
    "Wallet",
]
