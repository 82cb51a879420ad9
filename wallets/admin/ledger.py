"""What happened to money: entries, holds and lots. Nothing here can be changed."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from keeptrusts.lib import money
from wallets.admin import display
from wallets.admin.base import TenantAdmin
from wallets.admin.export import export_csv
from wallets.admin.operations.wallets import Adjust
from wallets.models import CreditLot, Entry, LotPosition, Reservation, Wallet
from wallets.permissions import Action

WALLET = ("wallet__organization", "wallet__team", "wallet__user")
"""What the name of a wallet is made of."""


WALLET_PREFIX = "wallet:"
REQUEST = "_request_id"
OTHER = "_other_wallet"

MOST_WALLETS = 200
"""So many wallets a search by name looks through."""


class OfWallets(TenantAdmin):
    """Rows of wallets, found by the names of these too."""

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Names are looked up among the wallets, which are few, and not along the whole ledger."""
        found, repeated = super().get_search_results(request, queryset, search_term)
        if not search_term.strip():
            return found, repeated
        wallets = self.admin_site.get_model_admin(Wallet)
        named, _ = wallets.get_search_results(request, wallets.get_queryset(request), search_term)
        keys = list(named.order_by("pk").values_list("pk", flat=True)[:MOST_WALLETS])
        return (found | queryset.filter(wallet__in=keys) if keys else found), repeated


def _change(name: str, label: str) -> Any:
    return display.column(name, label, sortable=False)


INTERNALS = (
    *("public_id", "seq"),
    _change("d_posted", "change of money owned"),
    _change("d_reserved", "change of money held"),
    _change("d_debt", "change of money owed"),
    _change("posted_after", "owned after"),
    _change("reserved_after", "held after"),
    _change("debt_after", "owed after"),
    *("reason", "other_side", "transfer", "hold", "part", "provider", "model"),
)


@admin.register(Entry)
class EntryAdmin(OfWallets):
    """Movements of wallets, newest first.

    No date hierarchy: it asks for the first and last day of the whole table, which has no index on
    time; the filter by time reads the newest rows first.
    """

    view_action = Action.WALLETS_READ
    ordering = ("-id",)
    list_display = (
        display.time("created_at", "time"),
        *("wallet", "type"),
        display.column("amount", sortable=False),
        display.column("balance_after", sortable=False),
        *("about", display.person("actor"), "notes", "organization"),
    )
    people = ("actor",)
    list_filter = ("type", "created_at", "organization")
    list_select_related = ("organization", *WALLET)
    search_fields = ("=reference", "=wallet__public_id", "=transfer", "=reservation")
    search_help_text = (
        "A wallet, team or person by name, or a whole reference, wallet id, transfer or hold."
    )
    sortable_by = ()
    actions = (export_csv,)
    fieldsets: ClassVar[Any] = (
        (
            None,
            {
                "fields": (
                    *(display.time("created_at", "time"), "wallet", "type"),
                    display.column("amount", sortable=False),
                    display.column("balance_after", sortable=False),
                    *("about", display.person("actor"), "notes", "organization"),
                )
            },
        ),
        ("How the books say it", {"fields": INTERNALS, "classes": ("collapse",)}),
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
        """The outside reference, else what kind of transfer, else the request that was held for."""
        if entry.reference:
            return entry.reference
        if entry.transfer:
            return f"{entry.reason.capitalize()}, {_other_side(entry)}"
        request = getattr(entry, REQUEST, "")
        return request or (f"hold {entry.reservation}" if entry.reservation else display.NOTHING)

    @admin.display(description="other side")
    def other_side(self, entry: Entry) -> str:
        """Where the money came from or went to."""
        return _other_side(entry)

    @admin.display(description="hold")
    def hold(self, entry: Entry) -> str:
        """The hold it belongs to."""
        if not entry.reservation:
            return display.NOTHING
        address = reverse("admin:wallets_reservation_change", args=[entry.reservation])
        return format_html('<a href="{}">{}</a>', address, entry.reservation)

    def prepare(self, request: HttpRequest, rows: Iterable[Entry]) -> None:
        """Requests of holds and names of other wallets too, one statement for each."""
        rows = list(rows)
        super().prepare(request, rows)
        holds = {row.reservation for row in rows if row.reservation}
        requests: dict[Any, str] = dict(
            Reservation.objects.filter(pk__in=holds).values_list("pk", "request_id").iterator()
        )
        keys = {
            int(row.contra.removeprefix(WALLET_PREFIX))
            for row in rows
            if row.contra.startswith(WALLET_PREFIX)
        }
        wallets = self.admin_site.get_model_admin(Wallet).get_queryset(request).in_bulk(keys)
        for row in rows:
            setattr(row, REQUEST, requests.get(row.reservation, ""))
            key = row.contra.removeprefix(WALLET_PREFIX)
            setattr(row, OTHER, wallets.get(int(key)) if key.isdecimal() else None)


def _other_side(entry: Entry) -> str:
    other = getattr(entry, OTHER, None)
    if other is None:
        return entry.contra
    return f"{'to' if entry.amount < 0 else 'from'} {other}"


@admin.register(Reservation)
class ReservationAdmin(OfWallets):
    """Holds, and the charges they became."""

    view_action = Action.WALLETS_READ
    ordering = ("-id",)
    list_display = (
        display.time("created_at", "time"),
        *("wallet", "state"),
        display.column("amount", "held"),
        display.column("charged"),
        display.column("adjusted"),
        display.column("written_off"),
        *("model", "request_id", "organization"),
    )
    list_filter = ("state", "kind", "organization", "created_at")
    list_select_related = ("organization", *WALLET)
    search_fields = ("=id", "=request_id", "=wallet__public_id")
    search_help_text = (
        "A wallet, team or person by name, or a whole reservation, request or wallet id."
    )
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
