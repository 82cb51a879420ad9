"""Wallets: read-only balances, changed by the operations on their page."""

from typing import Any, ClassVar

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html

from wallets.admin import display
from wallets.admin.base import TenantAdmin
from wallets.admin.operations import wallets as operations
from wallets.models import Wallet
from wallets.permissions import Action

CREATED = display.time("created_at", "created")


@admin.register(Wallet)
class WalletAdmin(TenantAdmin):
    """Prepaid money of an organisation, a team, or a person in a team."""

    view_action = Action.WALLETS_READ
    list_display = (
        "name",
        display.column("balance", sortable=False),
        "state",
        display.column("reserved", "held"),
        display.column("debt", "owed"),
        display.column("total_allocated"),
        display.column("total_spent"),
        *("scope", "organization"),
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
    fieldsets: ClassVar[Any] = (
        (
            None,
            {
                "fields": (
                    "name",
                    display.column("balance", "balance (available)", sortable=False),
                    display.column("reserved", "held"),
                    display.column("debt", "owed"),
                    display.column("total_allocated"),
                    display.column("total_spent"),
                    *("state", "ledger"),
                )
            },
        ),
        (
            "Owner",
            {"fields": ("scope", "organization", "team", "user", "public_id", CREATED)},
        ),
        (
            "Settings",
            {
                "fields": (
                    "low_below",
                    *("parent", "draws"),
                    display.column("draw_per_day", "at most per day"),
                    display.column("draw_per_month", "at most per month"),
                )
            },
        ),
    )
    operations = (
        *(operations.Credit, operations.Allocate, operations.Reclaim, operations.Freeze),
        *(operations.Unfreeze, operations.Draws, operations.Threshold),
    )

    @admin.display(description="ledger")
    def ledger(self, wallet: Wallet) -> str:
        """Where its movements are."""
        address = reverse("admin:wallets_entry_changelist")
        return format_html(
            '<a href="{}?wallet__id__exact={}">Ledger entries of this wallet</a>',
            address,
            wallet.pk,
        )

    @admin.display(description="low below")
    def low_below(self, wallet: Wallet) -> str:
        """The balance below which it is low."""
        if wallet.low_threshold is None:
            return "10 % of the balance after the last money in"
        return display.dollars(wallet.low_threshold)

    @admin.display(description="draws on the wallet above")
    def draws(self, wallet: Wallet) -> str:
        """Whether, in words."""
        if wallet.parent_id is None:
            return display.NOTHING
        return "yes" if wallet.draws_on_parent else "no"

    @admin.display(description="status")
    def state(self, wallet: Wallet) -> str:
        """Healthy, Low or Depleted; and whether it is frozen, in words."""
        status = wallet.status.capitalize()
        return f"{status}, frozen" if wallet.frozen else status
