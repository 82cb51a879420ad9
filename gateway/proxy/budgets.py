"""Budget alerts that refuse: decided before a wallet is asked."""

from gateway.proxy import refusals
from gateway.proxy.call import Admission, Call
from gateway.proxy.spending import SpendingBook
from gateway.snapshot import Snapshot


async def check(call: Call, admission: Admission, spending: SpendingBook) -> None:
    """A budget alert with the action ``block`` refuses what costs anything; raises ``Blocked``."""
    percent = block(call.snapshot)
    if percent is None or admission.worst == 0:
        return
    month = await spending.of(call.caller.team.id)
    used = month.used_percent if month is not None else None
    if used is not None and used >= percent:
        raise refusals.blocked(call, "budget_alert_block", month)


def block(snapshot: Snapshot) -> float | None:
    """The lowest percentage of the budget from which requests are refused."""
    alerts = snapshot.policy.document.cost_tracking.budget_alerts
    return min((a.threshold_percent for a in alerts if a.action == "block"), default=None)
