"""Puts the project's own site in the place of Django's default admin site."""

from django.contrib.admin.apps import AdminConfig


class KeeptrustsAdminConfig(AdminConfig):
    """``admin.site`` is ``KeeptrustsAdminSite`` everywhere, for packages too."""

    default_site = "keeptrusts.admin_site.KeeptrustsAdminSite"
