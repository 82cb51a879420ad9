"""Answers for what is not there: unknown routes under /v1."""

from typing import Any

from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class UnknownRoute(APIView):
    """404 in the API's own error shape, whoever asks and however."""

    authentication_classes = ()
    permission_classes = ()
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """No method of an unknown route is allowed or not: the route is unknown."""
        raise NotFound(f"There is no {request.method} {request.path}; see /v1/docs.")

    def get(self, request: Request) -> Response:
        """Never reached."""
        return Response(status=404)
