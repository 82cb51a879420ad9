"""Wallets and their ledger. Only ``wallets.ledger`` writes balances, entries and reservations."""

from typing import Any

from django.db import models
from django.db.models import F, Q

from keeptrusts.lib import money
from wallets.models.base import TenantQuerySet, public_id_field
from wallets.models.people import Organization, Team, User

BALANCE_COLUMNS = frozenset(
    {"posted", "reserved", "debt", "seq", "total_allocated", "total_spent", "funded_balance"}
)


WRITTEN_BY_THE_LEDGER = BALANCE_COLUMNS | {"waiting_until"}


class Wallet(models.Model):
    """Prepaid money of one scope, in nano-dollars.

    ``posted`` is owned, ``reserved`` is held out of it, ``debt`` is owed after a reversed payment.
    Always: 0 <= reserved <= posted, debt >= 0, and the row equals its last entry (``seq``).
    """

    class Scope(models.TextChoices):
        """Whose wallet it is. The rank orders locks: user before team before organisation."""

        USER = "user"
        TEAM = "team"
        ORGANIZATION = "organization"

    RANKS = {Scope.USER: 0, Scope.TEAM: 1, Scope.ORGANIZATION: 2}

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="wallets")
    public_id = public_id_field("wal")
    scope = models.CharField(max_length=12, choices=Scope, editable=False)
    team = models.ForeignKey(Team, models.PROTECT, null=True, blank=True, related_name="wallets")
    user = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="wallets")
    parent = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="children"
    )
    posted = models.BigIntegerField(default=0, editable=False)
    reserved = models.BigIntegerField(default=0, editable=False)
    debt = models.BigIntegerField(default=0, editable=False)
    seq = models.BigIntegerField(default=0, editable=False)
    total_allocated = models.BigIntegerField(
        default=0,
        editable=False,
        help_text="All money that ever came in: credits, payments, allocations.",
    )
    total_spent = models.BigIntegerField(default=0, editable=False)
    funded_balance = models.BigIntegerField(
        default=0, editable=False, help_text="Balance after the last money in."
    )
    low_threshold = models.BigIntegerField(
        null=True,
        blank=True,
        help_text="Nano-dollars; empty: 10 % of the balance after the last money in.",
    )
    frozen = models.BooleanField(default=False, editable=False)
    draws_on_parent = models.BooleanField(
        default=True, help_text="Requests it cannot pay may be paid by the wallet above."
    )
    draw_per_day = models.BigIntegerField(
        null=True, blank=True, help_text="Nano-dollars; empty: no cap."
    )
    draw_per_month = models.BigIntegerField(
        null=True, blank=True, help_text="Nano-dollars; empty: no cap."
    )
    draw_caps = models.IntegerField(
        default=0, editable=False, help_text="Counts the caps that were set; names their counters."
    )
    waiting_until = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="Nobody waits for this wallet's money any longer; the database's time.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="wallet_never_overspent",
                condition=Q(reserved__gte=0) & Q(reserved__lte=F("posted")) & Q(debt__gte=0),
            ),
            models.CheckConstraint(
                name="wallet_within_bounds",
                condition=Q(posted__lte=money.MAX_BALANCE) & Q(debt__lte=money.MAX_BALANCE),
            ),
            models.CheckConstraint(
                name="wallet_scope_matches_owner",
                condition=Q(scope="organization", team=None, user=None, parent=None)
                | Q(scope="team", team__isnull=False, user=None, parent__isnull=False)
                | Q(scope="user", team__isnull=False, user__isnull=False, parent__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["organization"],
                name="wallet_one_per_organization",
                condition=Q(scope="organization"),
            ),
            models.UniqueConstraint(
                fields=["team"], name="wallet_one_per_team", condition=Q(scope="team")
            ),
            models.UniqueConstraint(
                fields=["team", "user"],
                name="wallet_one_per_user_in_team",
                condition=Q(scope="user"),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save settings only. A stale object must never write a balance back."""
        if self._state.adding:
            if any(getattr(self, column) for column in BALANCE_COLUMNS):
                raise ValueError("A wallet starts empty; post a ledger operation to fund it.")
        elif kwargs.get("update_fields") is None:
            kwargs["update_fields"] = {
                field.name
                for field in self._meta.concrete_fields
                if not field.primary_key and field.name not in WRITTEN_BY_THE_LEDGER
            }
        elif WRITTEN_BY_THE_LEDGER & set(kwargs["update_fields"]):
            raise ValueError("Balances change only through wallets.ledger.")
        super().save(*args, **kwargs)

    @property
    def name(self) -> str:
        """What people call it: the organisation, the team, or the person in the team."""
        if self.scope == self.Scope.ORGANIZATION:
            return self.organization.name
        if self.scope == self.Scope.TEAM and self.team:
            return self.team.name
        return f"{self.user} ({self.team})"

    @property
    def rank(self) -> int:
        """Place in the lock order."""
        return self.RANKS[self.Scope(self.scope)]

    @property
    def balance(self) -> int:
        """posted - reserved - debt: what screens show; negative while more is owed than free."""
        return self.posted - self.reserved - self.debt

    @property
    def available(self) -> int:
        """What a new hold or transfer may take."""
        return max(0, self.balance)

    @property
    def status(self) -> str:
        """``depleted`` | ``low`` | ``healthy``."""
        if self.balance <= 0:
            return "depleted"
        low = self.low_threshold
        if low is None:
            low = self.funded_balance // 10
        return "low" if self.balance < low else "healthy"


_IN = Q(d_reserved=0, d_posted__gte=0, d_debt__lte=0) & ~Q(d_posted=0, d_debt=0)
_OUT = Q(d_posted__lt=0, d_reserved=0, d_debt=0)
_CLOSE = Q(d_reserved__lte=0, d_debt__lte=0)
SIGNS_MATCH_TYPE = (
    Q(type__in=["credit", "payment_capture", "allocation_in"]) & _IN
    | Q(type__in=["allocation_out", "expiry"]) & _OUT
    | Q(type="reserve", d_posted=0, d_reserved__gt=0, d_debt=0)
    | Q(type="settle", d_posted__lte=0) & _CLOSE
    | Q(type="refund", d_posted=F("d_debt")) & _CLOSE
    | Q(type="payment_refund", d_posted__lte=0, d_reserved__lte=0, d_debt__gte=0)
    # A hold larger than what was taken from it: the rest repays debt.
    | Q(type="payment_refund", d_posted__lte=F("d_debt"), d_reserved__lt=0, d_debt__lte=0)
    | Q(type="adjustment", d_reserved=0) & (_IN | _OUT)
)
"""What each type of entry may change, and in which direction; a CHECK in the database."""


class Entry(models.Model):
    """One movement of one wallet: three signed changes and the three numbers after it.

    Append-only (the database refuses UPDATE and DELETE). ``seq`` counts 1..n per wallet without
    gap.
    """

    class Type(models.TextChoices):
        """What happened."""

        CREDIT = "credit"
        ALLOCATION_IN = "allocation_in"
        ALLOCATION_OUT = "allocation_out"
        RESERVE = "reserve"
        SETTLE = "settle"
        REFUND = "refund"
        PAYMENT_CAPTURE = "payment_capture"
        PAYMENT_REFUND = "payment_refund"
        EXPIRY = "expiry"
        ADJUSTMENT = "adjustment"

    OPENING, CLOSING, LATE, ADJUSTED = 0, 30_000, 30_001, 30_002

    id = models.BigAutoField(primary_key=True)
    organization = models.ForeignKey(
        Organization, models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    wallet = models.ForeignKey(
        Wallet, models.PROTECT, related_name="entries", db_constraint=False, db_index=False
    )
    seq = models.BigIntegerField()
    type = models.CharField(max_length=16, choices=Type)
    d_posted = models.BigIntegerField()
    d_reserved = models.BigIntegerField()
    d_debt = models.BigIntegerField()
    posted_after = models.BigIntegerField()
    reserved_after = models.BigIntegerField()
    debt_after = models.BigIntegerField()
    reason = models.CharField(
        max_length=16, blank=True, help_text="allocation, reclaim, replenishment, swept, late…"
    )
    contra = models.CharField(
        max_length=40, help_text="usage, hold, paypal, credit, expired, adjustment or wallet:<id>."
    )
    transfer = models.UUIDField(null=True, blank=True)
    reservation = models.UUIDField(null=True, blank=True)
    part = models.SmallIntegerField(
        default=0,
        help_text="0 opens a hold, 1.. extend, 30000 closes, 30001 settles late, 30002.. adjust.",
    )
    # Null, not empty: only rows that have one are unique per type.
    reference = models.CharField(  # noqa: DJ001
        max_length=120,
        null=True,
        blank=True,
        help_text="Outside reference, provider-qualified, e.g. paypal:capture:…; once per type.",
    )
    actor = models.CharField(max_length=40)
    notes = models.CharField(max_length=500, blank=True)
    provider = models.CharField(max_length=60, blank=True)
    model = models.CharField(max_length=120, blank=True)
    created_at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        verbose_name = "ledger entry"
        verbose_name_plural = "ledger entries"
        constraints = [
            models.UniqueConstraint(fields=["wallet", "seq"], name="entry_seq_unique_in_wallet"),
            models.UniqueConstraint(
                fields=["reservation", "part"],
                name="entry_once_per_reservation_step",
                condition=Q(reservation__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["type", "reference"],
                name="entry_once_per_reference",
                condition=Q(reference__isnull=False),
            ),
            models.CheckConstraint(
                name="entry_never_overspent",
                condition=Q(reserved_after__gte=0)
                & Q(reserved_after__lte=F("posted_after"))
                & Q(debt_after__gte=0)
                & Q(seq__gte=1),
            ),
            models.CheckConstraint(name="entry_signs_match_type", condition=SIGNS_MATCH_TYPE),
        ]
        indexes = [
            models.Index(
                fields=["transfer"], name="entry_by_transfer", condition=Q(transfer__isnull=False)
            )
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        """``txn_<wallet>-<seq>``: nothing stored, nothing to look up."""
        return f"txn_{self.wallet.public_id.removeprefix('wal_')}-{self.seq}"

    @property
    def amount(self) -> int:
        """Signed change of the balance, nano-dollars."""
        return self.d_posted - self.d_reserved - self.d_debt

    @property
    def balance_after(self) -> int:
        """The wallet's balance right after this entry, nano-dollars."""
        return self.posted_after - self.reserved_after - self.debt_after
