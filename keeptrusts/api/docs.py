"""The description of the API and the page that shows it."""

from typing import Any

from csp.constants import SELF
from csp.decorators import csp_update
from django.utils.decorators import method_decorator
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.negotiation import DefaultContentNegotiation


class Schema(SpectacularAPIView):
    """OpenAPI 3 description, as YAML or (``Accept: application/json``) JSON."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    content_negotiation_class = DefaultContentNegotiation
    schema: Any = None


# Swagger UI draws its icons from data URLs; scripts and styles stay our own files.
@method_decorator(csp_update({"img-src": [SELF, "data:"]}), name="dispatch")
class Docs(SpectacularSwaggerSplitView):
    """Interactive documentation; all assets are local."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    content_negotiation_class = DefaultContentNegotiation
    url_name = "api-schema"
    template_name = "api/docs.html"
