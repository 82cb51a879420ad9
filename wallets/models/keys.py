"""Credentials: API tokens for /v1 and gateway keys for completions. Only digests are stored."""

from django.db import models
from django.db.models import F, Q

from wallets.models.base import TenantQuerySet, public_id_field
from wallets.models.people import Membership, Organization, ServiceAccount, Team, User


class Credential(models.Model):
    """What both kinds of credentials share. ``digest`` is the SHA-256 of the whole secret, in
    hex.
    """

    public_id_prefix = "key"

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    name = models.CharField(max_length=200, blank=True)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    prefix = models.CharField(
        max_length=24, editable=False, help_text="First characters, for display."
    )
    created_by = models.CharField(max_length=40, blank=True, help_text="Public id of who made it.")
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.prefix}…"


class ApiToken(Credential):
    """A bearer token (``kt_live_…``) of a person or a service account for /v1.

    It acts with ``role`` at most: never more than its owner has at the time of the call.
    """

    public_id = public_id_field("tok")
    user = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="api_tokens")
    service_account = models.ForeignKey(
        ServiceAccount, models.PROTECT, null=True, blank=True, related_name="api_tokens"
    )
    role = models.CharField(max_length=20, choices=Membership.Role)
    scopes = models.JSONField(
        default=list, blank=True, help_text="Empty: everything the role allows."
    )
    replaced_by = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="replaces"
    )

    class Meta:
        verbose_name = "API token"
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=True) ^ Q(service_account__isnull=True),
                name="api_token_has_one_owner",
            )
        ]


class ConsumerGroup(models.Model):
    """A named set of gateway clients whose requests a team's wallet pays."""

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="consumer_groups")
    public_id = public_id_field("grp")
    team = models.ForeignKey(Team, models.PROTECT, related_name="consumer_groups")
    name = models.CharField(max_length=100)
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "name"], name="consumer_group_name_unique"
            )
        ]

    def __str__(self) -> str:
        return self.name


class GatewayKey(Credential):
    """A key for completions: of a consumer group (``kt_cg_…``) or of a person (``kt_user_…``)."""

    public_id = public_id_field("key")
    team = models.ForeignKey(Team, models.PROTECT, related_name="gateway_keys")
    consumer_group = models.ForeignKey(
        ConsumerGroup, models.PROTECT, null=True, blank=True, related_name="keys"
    )
    user = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="gateway_keys"
    )
    allowed_models = models.JSONField(null=True, blank=True, help_text="List of models; null: all.")
    default_tags = models.JSONField(default=dict, blank=True)
    replaced_by = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="replaces"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=True) ^ Q(consumer_group__isnull=True),
                name="gateway_key_has_one_owner",
            ),
            models.CheckConstraint(
                condition=Q(replaced_by__isnull=True) | ~Q(replaced_by=F("id")),
                name="gateway_key_does_not_replace_itself",
            ),
        ]
