"""The admin: open to platform administrators and, for their organisation, to its staff roles."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from wallets import permissions
from wallets.staff import actor_of

APP_ORDER = ("wallets", "gateway", "billing", "alerts")
"""What people come for; everything else follows by name."""


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
        place = {label: number for number, label in enumerate(APP_ORDER)}
        return sorted(found, key=lambda app: place.get(app["app_label"], len(APP_ORDER)))
