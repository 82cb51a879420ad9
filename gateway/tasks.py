"""Scheduled work of the gateway: each task calls one operation and is safe twice at once."""

from celery import shared_task

from gateway.idempotency import claims


@shared_task(name="gateway.purge_idempotent_answers")
def purge_idempotent_answers() -> str:
    """Delete kept answers of requests whose ``Idempotency-Key`` has expired."""
    return f"deleted {claims.purge()} expired keys"
