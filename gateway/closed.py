"""What an organisation leaves behind when it is closed: kept answers and texts.

Deleted by a job that looks for closed organisations, so that nothing is forgotten over restarts.
"""

from datetime import datetime, timedelta

from django.db.models import Max

from gateway.cache import purging
from gateway.history import texts
from gateway.idempotency import claims
from gateway.models import CacheGeneration
from wallets import tenancy
from wallets.models import AuditRecord, Organization

LAST_ANSWER = timedelta(minutes=20)
"""So long after its closing a request that ran then may still leave an answer in the cache."""


def purge() -> tuple[int, int, int]:
    """Purge every closed organisation; how many caches, repeated answers and texts went.

    The cache of each is purged until it was once after its last answer.
    """
    closed = list(Organization.objects.filter(status=Organization.Status.CLOSED))
    caches = sum(_purge_cache(organization) for organization in closed)
    answers = sum(claims.purge_organization(organization) for organization in closed)
    return caches, answers, texts.purge_closed()


def _purge_cache(organization: Organization) -> bool:
    purged_at = (
        CacheGeneration.objects.filter(pk=organization.pk)
        .values_list("purged_at", flat=True)
        .first()
    )
    closed_at = _closed_at(organization)
    if purged_at is not None and (closed_at is None or purged_at >= closed_at + LAST_ANSWER):
        return False
    purging.purge(actor=tenancy.system(), organization=organization)
    return True


def _closed_at(organization: Organization) -> datetime | None:
    """When it was closed last, as the audit log has it."""
    records = AuditRecord.objects.filter(
        organization=organization, action="organization.change", after__status="closed"
    )
    found: datetime | None = records.aggregate(last=Max("created_at"))["last"]
    return found
