"""Wallets: read-only balances, changed by the operations on their page."""

from django.contrib import admin

from wallets.admin import display
from wallets.admin.base import TenantAdmin
from wallets.admin.operations import wallets as operations
from wallets.models import Wallet
from wallets.permissions import Action


@admin.register(Wallet)
class WalletAdmin(TenantAdmin):
    """Prepaid money of an organisation, a team, or a person in a team."""

    view_action = Action.WALLETS_READ
    list_display = (
        *("scope", "name", "organization"),
        display.column("balance", sortable=False),
        display.column("reserved"),
        display.column("debt"),
        display.column("total_allocated"),
        display.column("total_spent"),
        "state",
    )
    list_display_links = ("name",)
    list_filter = ("scope", "frozen", "organization", "team")
    list_select_related = ("organization", "team", "user")
    search_fields = (
        "public_id",
        "team__name",
        "team__slug",
        "user__username",
        "organization__slug",
    )
    money = (
        *("posted", "reserved", "debt", "total_allocated", "total_spent", "funded_balance"),
        *("low_threshold", "draw_per_day", "draw_per_month"),
    )
    operations = (
        *(operations.Credit, operations.Allocate, operations.Reclaim, operations.Freeze),
        *(operations.Unfreeze, operations.Draws, operations.Threshold),
    )

    @admin.display(description="status")
    def state(self, wallet: Wallet) -> str:
        """Healthy, Low or Depleted; and whether it is frozen, in words."""
        status = wallet.status.capitalize()
        return f"{status}, frozen" if wallet.frozen else status
