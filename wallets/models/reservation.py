"""Holds on wallets, idempotency claims, and lots of credit that expire."""

from django.db import models
from django.db.models import F, Q

from wallets.models.base import TenantQuerySet
from wallets.models.people import Organization
from wallets.models.wallet import Wallet


class Reservation(models.Model):
    """Money held for one attempt of one request, until it is settled, refunded or expires.

    Written by the ledger only. ``consumed by`` are the id columns, ``paid by`` is ``wallet``.
    Amounts in nano-dollars; times are the database's.
    """

    class Kind(models.TextChoices):
        """What the money is held for. Only ``usage`` expires."""

        USAGE = "usage"
        PAYMENT_REFUND = "payment_refund"
        DISPUTE = "dispute"

    class State(models.TextChoices):
        """held → settled | refunded | expired; expired → settled_late."""

        HELD = "held"
        SETTLED = "settled"
        REFUNDED = "refunded"
        EXPIRED = "expired"
        SETTLED_LATE = "settled_late"

    id = models.UUIDField(primary_key=True)
    organization = models.ForeignKey(
        Organization, models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    wallet = models.ForeignKey(
        Wallet, models.PROTECT, related_name="reservations", db_constraint=False, db_index=False
    )
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.USAGE)
    state = models.CharField(max_length=12, choices=State, default=State.HELD)
    amount = models.BigIntegerField(help_text="All parts together.")
    parts = models.SmallIntegerField(default=1)
    checkpoint = models.BigIntegerField(default=0, help_text="Cost known so far, from heartbeats.")
    cost = models.BigIntegerField(null=True, blank=True)
    charged = models.BigIntegerField(default=0)
    written_off = models.BigIntegerField(default=0)
    adjusted = models.BigIntegerField(
        default=0,
        help_text="Signed sum of adjustments of this charge; money given back is negative.",
    )
    adjustments = models.SmallIntegerField(default=0)
    request_id = models.CharField(max_length=40, blank=True)
    team_id = models.BigIntegerField(null=True, blank=True)
    user_id = models.BigIntegerField(null=True, blank=True)
    consumer_group_id = models.BigIntegerField(null=True, blank=True)
    key_id = models.BigIntegerField(null=True, blank=True)
    provider = models.CharField(max_length=60, blank=True)
    model = models.CharField(max_length=120, blank=True)
    facts = models.JSONField(
        default=dict, blank=True, help_text="What else the event of a swept hold needs."
    )
    counters = models.JSONField(
        default=list, blank=True, help_text="Keys of the limit counters it fills."
    )
    created_at = models.DateTimeField()
    heartbeat_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="reservation_holds_something"),
            models.CheckConstraint(
                condition=Q(cost__isnull=True) | Q(cost=F("charged") + F("written_off")),
                name="reservation_cost_is_charged_or_written_off",
            ),
            models.CheckConstraint(
                condition=Q(state="held", closed_at__isnull=True)
                | (~Q(state="held") & Q(closed_at__isnull=False)),
                name="reservation_closed_when_not_held",
            ),
        ]
        indexes = [
            models.Index(fields=["expires_at"], name="reservation_due", condition=Q(state="held")),
            models.Index(fields=["wallet"], name="reservation_open", condition=Q(state="held")),
            models.Index(fields=["organization", "created_at"], name="reservation_by_organization"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Claim(models.Model):
    """An ``Idempotency-Key`` that succeeded: the same call again gets the same answer.

    ``key`` is a digest over (organisation, credential, operation, header value).
    """

    key = models.CharField(max_length=64, primary_key=True)
    organization = models.ForeignKey(
        Organization, models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    fingerprint = models.CharField(max_length=64)
    result = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.key


class CreditLot(models.Model):
    """Part of a credit that expires. Lives on the organisation wallet, opened by a credit entry.

    The expiry job replays entries since ``LotPosition`` to learn what is left of each lot.
    """

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="credit_lots")
    wallet = models.ForeignKey(Wallet, models.PROTECT, related_name="lots")
    seq = models.BigIntegerField(help_text="The wallet entry that brought the money in.")
    amount = models.BigIntegerField()
    expires_at = models.DateTimeField()
    expired_amount = models.BigIntegerField(
        null=True, blank=True, help_text="Set when it has expired."
    )

    objects = TenantQuerySet.as_manager()

    class Meta:
        verbose_name = "expiring credit"
        constraints = [
            models.UniqueConstraint(fields=["wallet", "seq"], name="credit_lot_one_per_entry"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="credit_lot_holds_something"),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"], name="credit_lot_due", condition=Q(expired_amount=None)
            )
        ]

    def __str__(self) -> str:
        return f"{self.wallet_id}:{self.seq}"


class LotPosition(models.Model):
    """How far the expiry job has replayed a wallet, and what was left of each lot there.

    ``lots`` is a list of [lot id, nano-dollars left]; ``lent`` maps a child wallet id to the parts
    of lots that were allocated to it, so that a reclaim restores them.
    """

    wallet = models.OneToOneField(
        Wallet, models.PROTECT, primary_key=True, related_name="lot_position"
    )
    seq = models.BigIntegerField(default=0)
    plain = models.BigIntegerField(default=0, help_text="Money that never expires.")
    lots = models.JSONField(default=list)
    lent = models.JSONField(default=dict)
    expired = models.JSONField(default=dict, help_text="Nano-dollars expired so far, by lot.")

    def __str__(self) -> str:
        return f"{self.wallet_id}@{self.seq}"


class DeadLetter(models.Model):
    """A ledger operation that the database refused for a reason nobody foresaw.

    It failed alone, so the rest of its batch went through; its hold is left to the sweeper.
    """

    operation = models.CharField(max_length=40)
    payload = models.TextField()
    error = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.operation}: {self.error[:80]}"
