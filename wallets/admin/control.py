"""Limits, stops and the audit log."""

from django.contrib import admin

from wallets.admin import display
from wallets.admin.base import TenantAdmin
from wallets.admin.operations import keys as operations
from wallets.models import AuditRecord, Limit, LimitCounter, Stop
from wallets.permissions import Action


@admin.register(Limit)
class LimitAdmin(TenantAdmin):
    """At most so much per period."""

    view_action = Action.LIMITS_READ
    list_display = (
        *("public_id", "organization", "team", "user", "key", "consumer_group", "period"),
        display.column("amount"),
    )
    list_filter = ("period", "organization", "team")
    list_select_related = ("organization", "team__organization", "user", "key", "consumer_group")
    search_fields = ("public_id", "team__slug", "user__username", "consumer_group__name")
    money = ("amount",)
    operations = (operations.RemoveLimit,)


@admin.register(LimitCounter)
class LimitCounterAdmin(TenantAdmin):
    """What has been held and spent under a limit in a period."""

    organization_lookup = "organization_id"
    view_action = Action.LIMITS_READ
    list_display = ("key", "period_start", display.column("held"), display.column("spent"))
    list_filter = ("period_start",)
    search_fields = ("key",)
    ordering = ("-key",)
    money = ("held", "spent")


@admin.register(Stop)
class StopAdmin(TenantAdmin):
    """Stop switches, lifted ones too."""

    view_action = Action.STOPS_READ
    list_display = (
        *("scope", "target", "organization", "cut", "reason", "created_by", "created_at"),
        *("lifted_by", "lifted_at"),
    )
    list_display_links = ("target",)
    list_filter = ("scope", "organization", ("lifted_at", admin.EmptyFieldListFilter))
    list_select_related = ("organization",)
    search_fields = ("target", "public_id", "reason")
    date_hierarchy = "created_at"
    operations = (operations.Resume,)


@admin.register(AuditRecord)
class AuditRecordAdmin(TenantAdmin):
    """Who changed what. Never changed, never deleted."""

    view_action = Action.AUDIT_READ
    ordering = ("-id",)
    list_display = ("created_at", "actor", "action", "target", "organization", "address")
    list_filter = ("organization",)
    list_select_related = ("organization",)
    search_fields = ("=actor", "target", "action", "=public_id")
    date_hierarchy = "created_at"
    sortable_by = ()
