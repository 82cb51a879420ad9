"""The response cache."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.cache import purging
from wallets.api.base import OrganizationInput, View


class PurgeOutput(serializers.Serializer):
    """A purge."""

    organization_id = serializers.CharField(source="organization.public_id")
    generation = serializers.IntegerField(
        source="number", help_text="Counts purges; answers of older generations are never given."
    )
    purged_at = serializers.DateTimeField()


class Purge(View):
    """Everything that is kept for an organisation."""

    @extend_schema(request=OrganizationInput, responses=PurgeOutput)
    def post(self, request: Request) -> Response:
        """Never answer again with what is in the response cache now."""
        organization = self.organization(self.body(OrganizationInput))
        purged = purging.purge(actor=self.actor, organization=organization)
        return Response(PurgeOutput(purged).data)
