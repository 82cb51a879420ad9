"""What happened to money: entries, holds and lots. Nothing here can be changed."""

from django.contrib import admin

from keeptrusts.lib import money
from wallets.admin import display
from wallets.admin.base import TenantAdmin
from wallets.admin.export import export_csv
from wallets.admin.operations.wallets import Adjust
from wallets.models import CreditLot, Entry, LotPosition, Reservation
from wallets.permissions import Action

WALLET = ("wallet__organization", "wallet__team", "wallet__user")
"""What the name of a wallet is made of."""


@admin.register(Entry)
class EntryAdmin(TenantAdmin):
    """Movements of wallets, newest first.

    No date hierarchy: it asks for the first and last day of the whole table, which has no index on
    time; the filter by time reads the newest rows first.
    """

    view_action = Action.WALLETS_READ
    ordering = ("-id",)
    list_display = (
        *("created_at", "wallet", "seq", "type"),
        display.column("amount", sortable=False),
        display.column("balance_after", sortable=False),
        *("about", "actor", "notes"),
    )
    list_display_links = ("seq",)
    list_filter = ("type", "created_at", "organization")
    list_select_related = ("organization", *WALLET)
    search_fields = ("=reference", "=wallet__public_id", "=transfer", "=reservation")
    search_help_text = "A whole reference, wallet id, transfer or reservation."
    sortable_by = ()
    actions = (export_csv,)
    money = (
        *("d_posted", "d_reserved", "d_debt"),
        *("posted_after", "reserved_after", "debt_after"),
    )
    export_columns = (
        ("time", lambda row: row.created_at.isoformat()),
        ("id", lambda row: row.public_id),
        ("wallet", lambda row: row.wallet.public_id),
        ("type", lambda row: row.type),
        ("amount", lambda row: money.token(row.amount)),
        ("balance_after", lambda row: money.token(row.balance_after)),
        ("reference", lambda row: row.reference or ""),
        ("reservation", lambda row: row.reservation or ""),
        ("actor", lambda row: row.actor),
        ("notes", lambda row: row.notes),
    )

    @admin.display(description="reference")
    def about(self, entry: Entry) -> str:
        """The outside reference, else the transfer or the hold the entry belongs to."""
        if entry.reference:
            return entry.reference
        if entry.transfer:
            return f"{entry.reason} {entry.transfer}"
        return f"hold {entry.reservation}" if entry.reservation else display.NOTHING


@admin.register(Reservation)
class ReservationAdmin(TenantAdmin):
    """Holds, and the charges they became."""

    view_action = Action.WALLETS_READ
    ordering = ("-id",)
    list_display = (
        *("created_at", "request_id", "wallet", "state"),
        display.column("amount", "held"),
        display.column("charged"),
        display.column("adjusted"),
        display.column("written_off"),
        *("provider", "model"),
    )
    list_display_links = ("created_at",)
    list_filter = ("state", "kind", "organization", "created_at")
    list_select_related = ("organization", *WALLET)
    search_fields = ("=id", "=request_id", "=wallet__public_id")
    search_help_text = "A whole reservation, request or wallet id."
    sortable_by = ()
    money = ("amount", "checkpoint", "cost", "charged", "written_off", "adjusted")
    operations = (Adjust,)


@admin.register(CreditLot)
class CreditLotAdmin(TenantAdmin):
    """Credits that expire."""

    view_action = Action.WALLETS_READ
    list_display = (
        *("wallet", "seq"),
        display.column("amount"),
        "expires_at",
        display.column("expired_amount"),
    )
    list_filter = ("organization", ("expired_amount", admin.EmptyFieldListFilter))
    list_select_related = ("organization", *WALLET)
    search_fields = ("=wallet__public_id",)
    date_hierarchy = "expires_at"
    money = ("amount", "expired_amount")


@admin.register(LotPosition)
class LotPositionAdmin(TenantAdmin):
    """How far expiry has looked at a wallet."""

    organization_lookup = "wallet__organization"
    view_action = Action.WALLETS_READ
    list_display = ("wallet", "seq", display.column("plain"))
    list_select_related = WALLET
    search_fields = ("=wallet__public_id",)
    money = ("plain",)
