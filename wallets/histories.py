"""How a wallet's balance went: one point per hour or day that had entries."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import F, Max, Q, Sum
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, TruncDay, TruncHour

from keeptrusts.lib.money import NANO
from wallets import sums
from wallets.models import Entry, Wallet

INTERVALS = {"hour": TruncHour, "day": TruncDay}
MONEY_IN = Q(type__in=["credit", "payment_capture", "allocation_in"])
MONEY_OUT = Q(type__in=["allocation_out", "payment_refund", "expiry"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A period with entries: what moved, and what was there at its end. Nano-dollars."""

    at: datetime
    money_in: int
    money_out: int
    spent: int
    balance: int
    reserved: int


def of_wallet(wallet: Wallet, *, since: datetime, until: datetime, interval: str) -> list[Point]:
    """Points from ``since`` to before ``until``, oldest first, in the organisation's time zone.

    Two statements, whatever the number of entries. Spent is net of what settles gave back.
    """
    rows = Entry.objects.filter(wallet=wallet, created_at__gte=since, created_at__lt=until)
    period = INTERVALS[interval]("created_at", tzinfo=ZoneInfo(wallet.organization.time_zone))
    moved = F("d_posted") - F("d_debt")
    totals = {
        **_parts("money_in", moved, MONEY_IN),
        **_parts("money_out", moved * -1, MONEY_OUT),
        **_parts("spent", moved * -1, ~(MONEY_IN | MONEY_OUT)),
    }
    grouped: list[Any] = list(
        rows.annotate(period=period)
        .values("period")
        .annotate(last=Max("seq"), **totals)
        .order_by("period")
    )
    ends = {
        entry.seq: entry
        for entry in Entry.objects.filter(wallet=wallet, seq__in=[row["last"] for row in grouped])
    }
    return [_point(row, ends[row["last"]]) for row in grouped]


def _parts(name: str, amount: Combinable, of: Q) -> dict[str, Any]:
    """Whole dollars and the rest apart, so that no sum overflows."""
    return {
        f"{name}_whole": Coalesce(Sum(amount / NANO, filter=of), 0),
        f"{name}_rest": Coalesce(Sum(amount % NANO, filter=of), 0),
    }


def _point(row: dict[str, Any], last: Entry) -> Point:
    totals = {
        name: sums.join(row[f"{name}_whole"], row[f"{name}_rest"])
        for name in ("money_in", "money_out", "spent")
    }
    return Point(
        at=row["period"], balance=last.balance_after, reserved=last.reserved_after, **totals
    )
