"""Stop switches."""

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from wallets import stops, tenancy
from wallets.api.base import ListView, OrganizationInput, View
from wallets.models import ConsumerGroup, Organization, Stop
from wallets.permissions import Action


class StopOutput(serializers.Serializer):
    """A pulled switch."""

    id = serializers.CharField(source="public_id")
    scope = serializers.ChoiceField(choices=Stop.Scope.choices)
    target = serializers.CharField()
    reason = serializers.CharField(allow_blank=True)
    cut = serializers.BooleanField()
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    lifted_by = serializers.CharField(allow_blank=True)
    lifted_at = serializers.DateTimeField(allow_null=True)


class StopInput(OrganizationInput):
    """What to stop."""

    scope = serializers.ChoiceField(choices=Stop.Scope.choices)
    target = serializers.CharField(
        max_length=200,
        help_text="Public id (a consumer group also by name), or the name of a model or provider.",
    )
    reason = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=500, help_text="Shown to callers."
    )
    cut = serializers.BooleanField(
        required=False, default=False, help_text="End running requests at once too."
    )


class StopFilters(filters.FilterSet):
    """Filters of the stop list."""

    scope = filters.ChoiceFilter(choices=Stop.Scope.choices)
    target = filters.CharFilter()


class Stops(ListView):
    """The stops in force."""

    queryset = Stop.objects.none()
    serializer_class = StopOutput
    filterset_class = StopFilters

    def rows(self) -> QuerySet[Stop]:
        organization = self.organization()
        self.require(Action.STOPS_READ, organization)
        return stops.in_force(organization)

    @extend_schema(request=StopInput, responses={201: StopOutput})
    def post(self, request: Request) -> Response:
        """Refuse new requests of the target, within seconds. Pulled twice it is one stop."""
        values = self.body(StopInput)
        organization = self.organization(values)
        pulled = stops.stop(
            actor=self.actor,
            organization=organization,
            scope=values["scope"],
            target=_target(organization, values["scope"], values["target"]),
            reason=values["reason"],
            cut=values["cut"],
        )
        return Response(StopOutput(pulled).data, status=status.HTTP_201_CREATED)


class OneStop(View):
    """One stop."""

    @extend_schema(parameters=[OrganizationInput], responses={204: None})
    def delete(self, request: Request, stop_id: str) -> Response:
        """Lift a stop; lifting it twice does nothing."""
        organization = self.organization(self.query())
        pulled = tenancy.resolve(self.actor, Stop.objects.all(), stop_id, organization=organization)
        if pulled.lifted_at is None:
            stops.resume(
                actor=self.actor,
                organization=organization,
                scope=pulled.scope,
                target=pulled.target,
            )
        return Response(status=204)


def _target(organization: Organization, scope: str, target: str) -> str:
    """The public id of a consumer group that is named; everything else as it is."""
    if scope != Stop.Scope.CONSUMER_GROUP or target.startswith("grp_"):
        return target
    rows = ConsumerGroup.objects.for_organization(organization).filter(name=target)
    return rows.values_list("public_id", flat=True).first() or target
