"""What stops spending before money does: stop switches and limits; and the audit log."""

from typing import Any

from django.db import models
from django.db.models import Q

from wallets.models.base import TenantQuerySet, public_id_field
from wallets.models.keys import ConsumerGroup, GatewayKey
from wallets.models.people import Organization, Team, User


class Stop(models.Model):
    """A pulled stop switch. While it is not lifted, new requests of its target are refused.

    ``target`` is the public id of a key, consumer group, user, team or organisation, or the name of
    a model or provider. Rows stay for history; at most one per target is in force.
    """

    class Scope(models.TextChoices):
        """What can be stopped."""

        KEY = "key"
        CONSUMER_GROUP = "consumer_group"
        USER = "user"
        TEAM = "team"
        ORGANIZATION = "organization"
        MODEL = "model"
        PROVIDER = "provider"

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="stops")
    public_id = public_id_field("stop")
    scope = models.CharField(max_length=20, choices=Scope)
    target = models.CharField(max_length=200)
    reason = models.CharField(max_length=500, blank=True)
    cut = models.BooleanField(default=False, help_text="Running requests are cut at once too.")
    created_by = models.CharField(max_length=40)
    created_at = models.DateTimeField(auto_now_add=True)
    lifted_by = models.CharField(max_length=40, blank=True)
    lifted_at = models.DateTimeField(null=True, blank=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "scope", "target"],
                name="stop_one_in_force_per_target",
                condition=Q(lifted_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.target}"


class Limit(models.Model):
    """At most ``amount`` nano-dollars consumed under a scope per period, whichever wallet pays.

    Scope: exactly one of a user in a team, a key, a consumer group, a team, or (none of them set)
    the organisation. 0 allows nothing; no row means no limit.
    """

    class Period(models.TextChoices):
        """Calendar periods in the organisation's time zone."""

        HOUR = "hour", "Hourly"
        DAY = "day", "Daily"
        MONTH = "month", "Monthly"

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="limits")
    public_id = public_id_field("lim")
    team = models.ForeignKey(Team, models.PROTECT, null=True, blank=True, related_name="limits")
    user = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="limits")
    key = models.ForeignKey(
        GatewayKey, models.PROTECT, null=True, blank=True, related_name="limits"
    )
    consumer_group = models.ForeignKey(
        ConsumerGroup, models.PROTECT, null=True, blank=True, related_name="limits"
    )
    scope = models.CharField(
        max_length=60, editable=False, help_text="Derived from the scope columns."
    )
    period = models.CharField(max_length=5, choices=Period)
    amount = models.BigIntegerField(help_text="Nano-dollars.")
    counter = models.BigIntegerField(
        null=True,
        editable=False,
        help_text="Primary key of the limit it counts together with: a rotated key's first one.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gte=0), name="limit_not_negative"),
            models.CheckConstraint(
                name="limit_has_one_scope",
                condition=(
                    Q(key__isnull=True, consumer_group__isnull=True)
                    | Q(team__isnull=True, user__isnull=True, consumer_group__isnull=True)
                    | Q(team__isnull=True, user__isnull=True, key__isnull=True)
                )
                & (Q(user__isnull=True) | Q(team__isnull=False)),
            ),
            models.UniqueConstraint(
                fields=["organization", "scope", "period"], name="limit_one_per_scope_and_period"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_period_display()} limit {self.public_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Derive ``scope`` so that the database can keep one limit per scope and period."""
        self.scope = self.scope_of(
            team_id=self.team_id,
            user_id=self.user_id,
            key_id=self.key_id,
            consumer_group_id=self.consumer_group_id,
        )
        super().save(*args, **kwargs)

    @staticmethod
    def scope_of(
        *,
        team_id: int | None = None,
        user_id: int | None = None,
        key_id: int | None = None,
        consumer_group_id: int | None = None,
    ) -> str:
        """The text that names a scope: ``team:3``, ``user:3:7``, ``key:9``, ``organization``…"""
        if key_id is not None:
            return f"key:{key_id}"
        if consumer_group_id is not None:
            return f"consumer_group:{consumer_group_id}"
        if user_id is not None:
            return f"user:{team_id}:{user_id}"
        return f"team:{team_id}" if team_id is not None else "organization"


class LimitCounter(models.Model):
    """What has been held and spent under one limit (or one draw cap) in one period.

    ``key`` is ``<kind>:<id>:<period start>``; locked in key order, before wallets.
    """

    key = models.CharField(max_length=120, primary_key=True)
    organization_id = models.BigIntegerField()
    period_start = models.DateTimeField()
    held = models.BigIntegerField(default=0)
    spent = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(held__gte=0) & Q(spent__gte=0), name="limit_counter_not_negative"
            )
        ]

    def __str__(self) -> str:
        return self.key


class AuditRecord(models.Model):
    """One change by somebody: who, what, before, after, from where. Never changed, never deleted.

    Carries opaque ids only, no names or e-mail addresses.
    """

    organization = models.ForeignKey(
        Organization, models.PROTECT, null=True, blank=True, related_name="audit_records"
    )
    public_id = public_id_field("aud")
    actor = models.CharField(max_length=40, help_text="Public id of a person, token or 'system'.")
    action = models.CharField(max_length=60, help_text="For example 'token.revoke'.")
    target = models.CharField(max_length=200, help_text="Public id of what was changed.")
    before = models.JSONField(null=True, blank=True)
    after = models.JSONField(null=True, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["organization", "-id"], name="audit_by_organization")]

    def __str__(self) -> str:
        return f"{self.action} {self.target}"


class Revision(models.Model):
    """A single row whose number rises with every change that gateways keep in memory.

    Gateways poll it (one tiny read) and reload keys, groups, prices, limits, switches and stops
    when it moved. Raised by ``revisions.bump`` inside the transaction that makes the change.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    number = models.BigIntegerField(default=0)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = "configuration revision"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="revision_is_one_row")]

    def __str__(self) -> str:
        return str(self.number)
