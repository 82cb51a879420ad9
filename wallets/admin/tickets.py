"""Cost tickets and crossings of budgets."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html_join

from wallets import tickets
from wallets.admin import display
from wallets.admin.base import TenantAdmin
from wallets.admin.operations.tickets import ApproveTicket, DismissTicket
from wallets.models import CostTicket, Crossing
from wallets.permissions import Action

LARGEST = "largest shortage so far"


@admin.register(CostTicket)
class CostTicketAdmin(TenantAdmin):
    """Requests that a wallet could not pay."""

    view_action = Action.TICKETS_READ
    list_display = (
        *("public_id", "organization", "team", "wallet", "state", "reason_code"),
        *(display.column("missing", LARGEST), "requests", "waiting"),
        display.time("last_at", "last request"),
        *(display.person("decided_by"), display.time("decided_at", "decided")),
    )
    people = ("decided_by",)
    money = ("needed", "missing", "approved_amount")
    list_filter = ("state", "organization", "team")
    list_select_related = (
        *("organization", "team__organization", "user", "wallet__organization"),
        *("wallet__team__organization", "wallet__user", "wallet__parent__organization"),
        *("wallet__parent__team", "wallet__parent__user"),
    )
    search_fields = ("public_id", "team__slug", "user__username", "note")
    date_hierarchy = "first_at"
    operations = (ApproveTicket, DismissTicket)

    def prepare(self, request: HttpRequest, rows: Iterable[Any]) -> None:
        """And who waits for them: one statement."""
        rows = list(rows)
        super().prepare(request, rows)
        found = tickets.standing(rows)
        for row in rows:
            row.standing = found[row.pk]

    def shown(self, name: str) -> Any:
        """The shortage says which one it is; requests lead to their events."""
        named = {"missing": display.column("missing", LARGEST), "recent": "recent_requests"}
        return named.get(name) or super().shown(name)

    def _shown(self) -> Iterator[Any]:
        """And how the ticket stands now."""
        yield from super()._shown()
        yield from ("waiting", "missing_now")

    @admin.display(description="waiting")
    def waiting(self, ticket: Any) -> int:
        """How many wait now."""
        count: int = ticket.standing.waiting
        return count

    @admin.display(description="missing now")
    def missing_now(self, ticket: Any) -> str:
        """What an approval moves unless told otherwise."""
        return display.dollars(ticket.standing.missing)

    @admin.display(description="recent requests")
    def recent_requests(self, ticket: Any) -> str:
        """Links to their events, the latest first."""
        links = (
            (reverse("admin:gateway_decisionevent_change", args=[request]), request)
            for request in reversed(ticket.recent)
        )
        return format_html_join(" ", '<a href="{}">{}</a>', links) or display.NOTHING


@admin.register(Crossing)
class CrossingAdmin(TenantAdmin):
    """Levels of budgets that were passed."""

    view_action = Action.ALERTS_READ
    list_display = (
        *("seq", "organization", "kind", "team", "level"),
        *(display.column("spent"), display.column("budget")),
        *(display.time("created_at", "crossed"), display.time("rearmed_at", "rearmed")),
    )
    money = ("budget", "spent")
    list_filter = ("kind", "organization", "team")
    list_select_related = ("organization", "team__organization", "wallet")
    search_fields = ("team__slug",)
    date_hierarchy = "created_at"
