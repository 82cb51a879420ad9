"""Cost tickets: who was refused or waits because a wallet was short, and what was decided."""

from django.db import models
from django.db.models import Q

from wallets.models.base import TenantQuerySet, public_id_field
from wallets.models.people import Organization, Team, User
from wallets.models.wallet import Wallet


class CostTicket(models.Model):
    """Requests of one team that one wallet could not pay in one hour.

    At most one is open per team, wallet and hour: a busy client makes one ticket, not thousands.
    It leaves ``open`` once, for ever. ``user`` is set where the wallet is a person's. Amounts in
    nano-dollars.
    """

    class State(models.TextChoices):
        """open → approved | dismissed | expired."""

        OPEN = "open"
        APPROVED = "approved"
        DISMISSED = "dismissed"
        EXPIRED = "expired"

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="cost_tickets")
    public_id = public_id_field("tkt")
    team = models.ForeignKey(Team, models.PROTECT, related_name="cost_tickets")
    user = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="cost_tickets"
    )
    wallet = models.ForeignKey(
        Wallet, models.PROTECT, related_name="cost_tickets", help_text="The one that was short."
    )
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    reason_code = models.CharField(max_length=40, help_text="Of the latest refusal.")
    needed = models.BigIntegerField(help_text="The largest hold that was asked for.")
    missing = models.BigIntegerField(help_text="The largest shortage, when it was met.")
    requests = models.BigIntegerField(default=0, help_text="How many were refused or had to wait.")
    recent = models.JSONField(default=list, help_text="Ids of the latest requests.")
    hour = models.DateTimeField(help_text="Start of the hour (UTC) it stands for.")
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    decided_by = models.CharField(max_length=40, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    approved_amount = models.BigIntegerField(
        null=True, blank=True, help_text="What the approval moved into the wallet."
    )
    served = models.IntegerField(
        default=0, help_text="How many that waited got their hold from the approval."
    )
    note = models.CharField(max_length=500, blank=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["team", "wallet", "hour"],
                name="ticket_one_open_per_hour",
                condition=Q(state="open"),
            ),
            models.CheckConstraint(
                name="ticket_amounts_not_negative",
                condition=Q(needed__gte=0) & Q(missing__gte=0) & Q(requests__gte=0),
            ),
            models.CheckConstraint(
                name="ticket_decided_when_closed",
                condition=Q(state="open", decided_at__isnull=True)
                | ~Q(state="open") & Q(decided_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "state", "-id"], name="ticket_by_organization"),
            models.Index(fields=["last_at"], name="ticket_still_open", condition=Q(state="open")),
        ]

    def __str__(self) -> str:
        return self.public_id
