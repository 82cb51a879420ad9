"""Requests that wait for the money of a wallet."""

from django.db import models
from django.db.models import Q

from wallets.models.base import TenantQuerySet
from wallets.models.people import Organization
from wallets.models.wallet import Wallet


class Waiter(models.Model):
    """A place in the line of a wallet: a hold, or an extension of one, that is asked for again.

    Written by the ledger under the wallet's lock; ``wallets.waiting`` renews and ends it. The place
    counts until ``lease_until`` (the database's time), which its process moves on as long as it
    lives. Order: extensions before new holds, then by id. Amounts in nano-dollars.
    """

    class Reason(models.TextChoices):
        """Why it waits."""

        CONTENTION = "contention", "others hold the money"
        EXHAUSTED = "exhausted", "there is not that much"

    id = models.UUIDField(primary_key=True, help_text="The reservation's, which may not exist yet.")
    organization = models.ForeignKey(
        Organization, models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    wallet = models.ForeignKey(
        Wallet, models.PROTECT, related_name="waiters", db_constraint=False, db_index=True
    )
    part = models.SmallIntegerField(
        default=0, help_text="0: the hold itself; 1..: the extension that waits."
    )
    amount = models.BigIntegerField()
    reason = models.CharField(max_length=10, choices=Reason)
    ticket_id = models.BigIntegerField(
        null=True, blank=True, db_index=True, help_text="The cost ticket that shows it."
    )
    dismissed = models.BooleanField(
        default=False, help_text="Somebody decided that it gets no money: it counts no more."
    )
    payload = models.JSONField(
        default=dict, blank=True, help_text="What rebuilds the operation: waiting.reserve_of."
    )
    process = models.CharField(max_length=120, blank=True)
    since = models.DateTimeField()
    lease_until = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="waiter_wants_something")
        ]

    def __str__(self) -> str:
        return str(self.id)
