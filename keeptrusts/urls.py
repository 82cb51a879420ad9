"""Every address of the web process."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from keeptrusts import health

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("admin/", admin.site.urls),
    path("", include("keeptrusts.api.urls")),
]
