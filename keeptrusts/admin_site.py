"""The admin: open to platform administrators and, for their organisation, to its staff roles."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from wallets import permissions
from wallets.staff import actor_of

APP_ORDER = ("wallets", "gateway", "billing", "alerts")
"""What people come for; everything else follows by name."""

MODEL_ORDER = (
    *("Wallet", "Entry", "Reservation", "Team", "User", "Membership", "TeamMembership"),
    *("ConsumerGroup", "GatewayKey", "ApiToken", "ServiceAccount", "Limit", "Stop", "AuditRecord"),
    *("Organization", "CostCentre", "CreditLot", "DecisionEvent", "ModelPrice"),
)

SELDOM = frozenset({"SolarSchedule", "ClockedSchedule", "Claim"})
"""Not on the index; their pages are there all the same."""


class KeeptrustsAdminSite(admin.AdminSite):
    """The stock admin under the project's name, closed to people without a staff role."""

    site_header = "Keeptrusts"
    site_title = "Keeptrusts"
    index_title = "Administration"
    site_url = None
    empty_value_display = "–"
    # Tables of money need the width; the index is one click away.
    enable_nav_sidebar = False

    def has_permission(self, request: HttpRequest) -> bool:
        """Superusers, and staff who have a staff role in some organisation now."""
        if not super().has_permission(request):
            return False
        actor = actor_of(request)
        return actor.platform or bool(permissions.staffed(actor))

    def get_app_list(
        self, request: HttpRequest, app_label: str | None = None
    ) -> list[dict[str, Any]]:
        """Our own apps first, the machinery behind them."""
        found: list[dict[str, Any]] = super().get_app_list(request, app_label)
        for app in found:
            app["models"] = _by_use(app["models"], keep_all=app_label is not None)
        return sorted(found, key=lambda app: _place(APP_ORDER, app["app_label"]))


def _by_use(models: list[dict[str, Any]], *, keep_all: bool) -> list[dict[str, Any]]:
    """What people look for first, machinery last; the seldom used only on the app's own page."""
    kept = [model for model in models if keep_all or model["object_name"] not in SELDOM]
    return sorted(kept, key=lambda model: _place(MODEL_ORDER, model["object_name"]))


def _place(order: Sequence[str], name: str) -> int:
    return order.index(name) if name in order else len(order)
