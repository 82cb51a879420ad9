"""Crossings: a level of money was passed, and somebody may have to be told."""

from django.db import models
from django.db.models import Q

from wallets.models.base import TenantQuerySet
from wallets.models.people import Organization, Team
from wallets.models.wallet import Wallet


class Crossing(models.Model):
    """What is watched (``scope``) reached ``level`` in the period that began at ``period_start``.

    Written once per scope, level and period, however many processes see it; ``rearmed_at`` is set
    when usage falls below the level again because money was added, and the next crossing is a row
    of its own. ``seq`` counts 1..n in the order of commits without a gap, so that a reader who
    remembers the last one it saw misses none. Amounts in nano-dollars, as they were found.
    """

    class Kind(models.TextChoices):
        """What was crossed."""

        BUDGET = "budget"

    seq = models.BigIntegerField(unique=True)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="crossings")
    kind = models.CharField(max_length=20, choices=Kind)
    scope = models.CharField(max_length=60, help_text="What is watched, for example team:3.")
    team = models.ForeignKey(Team, models.PROTECT, null=True, blank=True, related_name="crossings")
    wallet = models.ForeignKey(
        Wallet, models.PROTECT, null=True, blank=True, related_name="crossings"
    )
    level = models.CharField(max_length=20, help_text="Percent of the budget, for example 80.")
    period_start = models.DateTimeField()
    budget = models.BigIntegerField(default=0)
    spent = models.BigIntegerField(default=0)
    created_at = models.DateTimeField()
    rearmed_at = models.DateTimeField(null=True, blank=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "scope", "level", "period_start"],
                name="crossing_once_until_rearmed",
                condition=Q(rearmed_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.scope} {self.level}"
