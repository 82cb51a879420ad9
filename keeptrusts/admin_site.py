"""The admin: open to platform administrators and, for their organisation, to its staff roles."""

from django.contrib import admin
from django.http import HttpRequest

from wallets import permissions
from wallets.staff import actor_of


class KeeptrustsAdminSite(admin.AdminSite):
    """The stock admin under the project's name, closed to people without a staff role."""

    site_header = "Keeptrusts"
    site_title = "Keeptrusts"
    index_title = "Administration"
    site_url = None
    empty_value_display = "–"

    def has_permission(self, request: HttpRequest) -> bool:
        """Superusers, and staff who have a staff role in some organisation now."""
        if not super().has_permission(request):
            return False
        actor = actor_of(request)
        return actor.platform or bool(permissions.staffed(actor))
