"""What no wallet paid on a day, by choice of the policy."""

from django.db import models

from wallets.models import Organization
from wallets.models.base import TenantQuerySet


class WrittenOff(models.Model):
    """Nano-dollars that a team's requests may have cost on one day without a wallet that paid.

    Room is taken before such a request goes out and given back as far as it was not needed, so that
    ``amount`` never passes the cap of the policy. A process that dies gives nothing back.
    """

    organization = models.ForeignKey(
        Organization, models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    team_id = models.BigIntegerField()
    on = models.DateField(help_text="In the organisation's time zone.")
    amount = models.BigIntegerField(default=0)

    objects = TenantQuerySet.as_manager()

    class Meta:
        verbose_name = "amount written off"
        verbose_name_plural = "amounts written off"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "team_id", "on"], name="written_off_one_per_day"
            ),
            models.CheckConstraint(
                condition=models.Q(amount__gte=0), name="written_off_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.on:%Y-%m-%d}"
