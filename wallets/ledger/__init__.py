"""The ledger: the only code that moves a balance.

``post`` takes a batch of operations and gives each its own result; see ``docs/ledger.md``.
"""

from wallets.ledger.operations import (
    TTL,
    Adjust,
    Candidate,
    Claimed,
    CounterUse,
    Credit,
    Expire,
    Extend,
    Heartbeat,
    Leg,
    Move,
    Note,
    Operation,
    PaymentRefund,
    Ref,
    Refund,
    Reserve,
    Settle,
    Sweep,
    Transfer,
    Waiting,
)
from wallets.ledger.posting import post, post_one
from wallets.ledger.results import Result

__all__ = [
    "TTL",
    "Adjust",
    "Candidate",
    "Claimed",
    "CounterUse",
    "Credit",
    "Expire",
    "Extend",
    "Heartbeat",
    "Leg",
    "Move",
    "Note",
    "Operation",
    "PaymentRefund",
    "Ref",
    "Refund",
    "Reserve",
    "Result",
    "Settle",
    "Sweep",
    "Transfer",
    "Waiting",
    "post",
    "post_one",
]
