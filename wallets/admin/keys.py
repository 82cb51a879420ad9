"""Credentials: made, rotated and revoked by operations; only prefixes are ever listed."""

from django.contrib import admin

from wallets.admin.base import TenantAdmin
from wallets.admin.operations import keys as operations
from wallets.admin.operations import teams
from wallets.models import ApiToken, ConsumerGroup, GatewayKey
from wallets.permissions import Action


@admin.register(ApiToken)
class ApiTokenAdmin(TenantAdmin):
    """Bearer tokens of /v1."""

    view_action = Action.TOKENS_READ
    hidden = ("digest",)
    list_display = (
        *("prefix", "name", "organization", "user", "service_account", "role"),
        *("last_used_at", "expires_at", "revoked_at"),
    )
    list_filter = ("role", "organization", ("revoked_at", admin.EmptyFieldListFilter))
    list_select_related = ("organization", "user", "service_account")
    search_fields = ("=prefix", "name", "public_id", "user__username", "service_account__name")
    operations = (operations.RotateToken, operations.RevokeToken)


@admin.register(ConsumerGroup)
class ConsumerGroupAdmin(TenantAdmin):
    """Named sets of gateway clients."""

    view_action = Action.KEYS_READ
    list_display = ("name", "team", "organization", "archived_at", "created_at")
    list_filter = ("organization", "team", ("archived_at", admin.EmptyFieldListFilter))
    list_select_related = ("organization", "team__organization")
    search_fields = ("name", "public_id")
    operations = (teams.RenameGroup, teams.IssueGroupKey, teams.LimitGroup, teams.ArchiveGroup)


@admin.register(GatewayKey)
class GatewayKeyAdmin(TenantAdmin):
    """Keys of consumer groups and of people."""

    view_action = Action.KEYS_READ
    hidden = ("digest",)
    list_display = (
        *("prefix", "name", "organization", "team", "consumer_group", "user"),
        *("last_used_at", "expires_at", "revoked_at"),
    )
    list_filter = ("organization", "team", ("revoked_at", admin.EmptyFieldListFilter))
    list_select_related = ("organization", "team__organization", "consumer_group", "user")
    search_fields = ("=prefix", "name", "public_id", "consumer_group__name", "user__username")
    operations = (operations.RotateKey, operations.RevokeKey, operations.LimitKey)
