"""Texts of requests and answers, where the policy file asks for them."""

from django.db import models

from wallets.models import Organization
from wallets.models.base import TenantQuerySet


class HistoryText(models.Model):
    """The texts of one request, compressed and encrypted for its event.

    ``event_id`` is the id of the decision event, which may be written a moment later. Rows count
    until ``expires_at`` and are deleted soon after.
    """

    event_id = models.CharField(max_length=40, primary_key=True)
    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="+", db_constraint=False
    )
    team_id = models.BigIntegerField(null=True)
    sealed = models.BinaryField()
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    objects = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return self.event_id
