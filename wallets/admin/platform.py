"""The machinery of the ledger, for platform administrators only."""

from django.contrib import admin

from wallets.admin import display
from wallets.admin.base import PlatformAdmin
from wallets.admin.ledger import WALLET
from wallets.models import Claim, DeadLetter, Revision, Waiter


@admin.register(Claim)
class ClaimAdmin(PlatformAdmin):
    """Idempotency keys that succeeded."""

    list_display = ("key", "organization", "created_at")
    list_filter = ("organization", "created_at")
    list_select_related = ("organization",)
    search_fields = ("=key",)
    ordering = ("-created_at",)


@admin.register(DeadLetter)
class DeadLetterAdmin(PlatformAdmin):
    """Ledger operations the database refused for a reason nobody foresaw."""

    list_display = ("created_at", "operation", "error")
    list_filter = ("operation", "created_at")
    search_fields = ("operation", "error", "payload")
    ordering = ("-id",)


@admin.register(Revision)
class RevisionAdmin(PlatformAdmin):
    """The number gateways poll."""

    list_display = ("number", "changed_at")


@admin.register(Waiter)
class WaiterAdmin(PlatformAdmin):
    """Requests that wait for the money of a wallet now."""

    list_display = (
        *("since", "wallet", display.column("amount"), "reason", "process", "lease_until"),
        "dismissed",
    )
    list_filter = ("reason", "dismissed")
    list_select_related = WALLET
    search_fields = ("=wallet__public_id", "process")
    ordering = ("since",)
    money = ("amount",)
    hidden = ("payload",)
