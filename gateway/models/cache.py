"""How often an organisation has purged its response cache."""

from django.db import models

from wallets.models import Organization
from wallets.models.base import TenantQuerySet


class CacheGeneration(models.Model):
    """The generation of an organisation's kept answers: only those of the newest count.

    No row: never purged, generation 0. The answers themselves are in Django's cache.
    """

    organization = models.OneToOneField(
        Organization, models.PROTECT, primary_key=True, related_name="+"
    )
    number = models.PositiveBigIntegerField(default=0)
    purged_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        verbose_name = "response cache"

    def __str__(self) -> str:
        return f"generation {self.number}"

    @classmethod
    def of(cls, organization_id: int) -> int:
        """The generation of an organisation now."""
        found = cls.objects.filter(pk=organization_id).values_list("number", flat=True).first()
        return found or 0
