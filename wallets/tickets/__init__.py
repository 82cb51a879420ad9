"""Cost tickets: what wallets could not pay is written down, shown, and decided by people.

A ticket is opened by ``record`` and leaves ``open`` once: by ``approve`` (money comes down from the
wallet above and those who wait go on), ``dismiss`` (those who wait are refused), or ``expire``.
"""

from wallets.tickets.approving import approve, going_on
from wallets.tickets.deciding import dismiss, expire, may_decide, require_decision
from wallets.tickets.recording import Shortage, dismissed, record
from wallets.tickets.standing import Standing, fund_url, of, rows, standing

__all__ = [
    "Shortage",
    "Standing",
    "approve",
    "dismiss",
    "dismissed",
    "expire",
    "fund_url",
    "going_on",
    "may_decide",
    "of",
    "record",
    "require_decision",
    "rows",
    "standing",
]
