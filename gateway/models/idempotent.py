"""Requests that may be repeated without being paid twice."""

from django.db import models
from django.db.models import Q

from wallets.models import Organization
from wallets.models.base import TenantQuerySet


class IdempotentCall(models.Model):
    """An ``Idempotency-Key`` in use: its request runs (``finished_at`` empty), or has succeeded.

    ``key`` is a digest over (organisation, credential, route, header value), ``fingerprint`` one of
    the body. A running row belongs to ``request_id`` until ``lease_until``, which its gateway moves
    on; then somebody else may take it over. ``answer`` is encrypted; empty on a finished row: it
    was too long to be kept, or made room for newer ones. Times are the database's. Rows go when
    ``expires_at`` has passed.
    """

    key = models.CharField(max_length=64, primary_key=True)
    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="+", db_constraint=False
    )
    fingerprint = models.CharField(max_length=64)
    request_id = models.CharField(max_length=40)
    answer = models.BinaryField(null=True)
    lease_until = models.DateTimeField()
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(db_index=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="idempotent_call_answers_when_finished",
                condition=Q(answer__isnull=True) | Q(finished_at__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return self.key
