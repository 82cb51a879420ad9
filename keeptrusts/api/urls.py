"""Routes of /v1, joined from every app; what is none of them is a 404 in the error shape."""

from django.urls import include, path, re_path

from keeptrusts.api import openapi as _openapi  # noqa: F401  registers its extensions
from keeptrusts.api.docs import Docs, Schema
from keeptrusts.api.unknown import UnknownRoute
from wallets.api.authentication import SameOriginAuthentication
from wallets.api.movements import Allocate, Reclaim

SAME_ORIGIN = {"authentication_classes": (SameOriginAuthentication,), "schema": None}

urlpatterns = [
    path("v1/schema", Schema.as_view(), name="api-schema"),
    path("v1/docs", Docs.as_view(), name="api-docs"),
    # The more special routes of other apps first: wallets has /wallets/<id>.
    path("v1/", include("gateway.api.urls")),
    path("v1/", include("wallets.api.urls")),
    path("api/wallets/allocate", Allocate.as_view(**SAME_ORIGIN)),
    path("api/wallets/reclaim", Reclaim.as_view(**SAME_ORIGIN)),
    re_path(r"^(v1|api)(/.*)?$", UnknownRoute.as_view()),
]
