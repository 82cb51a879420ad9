"""Scheduled work of the gateway: each task calls one operation and is safe twice at once."""

from celery import shared_task

from gateway import closed
from gateway.history import texts
from gateway.idempotency import claims


@shared_task(name="gateway.purge_idempotent_answers")
def purge_idempotent_answers() -> str:
    """Delete kept answers whose ``Idempotency-Key`` has expired, and the oldest of too many."""
    return f"deleted {claims.purge()} expired keys and {claims.purge_excess()} answers too many"


@shared_task(name="gateway.purge_history")
def purge_history() -> str:
    """Delete texts of requests that have expired."""
    return f"deleted the texts of {texts.purge()} requests"


@shared_task(name="gateway.purge_closed_organizations")
def purge_closed_organizations() -> str:
    """Delete what closed organisations left in the cache, under keys and in the history."""
    caches, answers, kept = closed.purge()
    return f"purged {caches} caches, {answers} repeated answers and the texts of {kept} requests"
