"""Scheduled work on money: each task calls one operation, is safe twice at once and runs again
later.

The schedule is seeded into django-celery-beat by ``keeptrusts.schedule`` and edited in the admin.
"""

import logging

from celery import shared_task

from keeptrusts.lib import money
from wallets import expiry, sweeper, tickets, verification, waiting

log = logging.getLogger(__name__)


@shared_task(name="wallets.sweep_holds")
def sweep_holds() -> str:
    """Close holds whose process died: charged by checkpoint, the rest returned; its old places
    in lines are cleared away.
    """
    report = sweeper.sweep()
    waiting.clear()
    if report.closed:
        log.warning(
            "swept %d of %d due holds, charged %s USD",
            report.closed, report.due, money.token(report.charged),
        )  # fmt: skip
    return f"closed {report.closed} of {report.due} due holds"


@shared_task(name="wallets.expire_credits")
def expire_credits() -> str:
    """Let unused credits leave whose time is over."""
    return f"expired {money.token(expiry.expire_credits())} USD"


@shared_task(name="wallets.verify_ledger")
def verify_ledger() -> str:
    """Prove the books; a problem is an error in the log."""
    report = verification.verify()
    for problem in report.problems:
        log.error("ledger: %s", problem)
    return str(report)


@shared_task(name="wallets.expire_tickets")
def expire_tickets() -> str:
    """Close open cost tickets of which nothing was heard for long and that nobody waits for."""
    return f"closed {tickets.expire()} cost tickets"
