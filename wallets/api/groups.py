"""Consumer groups: sets of gateway clients whose requests a team pays."""

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from wallets import groups, tenancy
from wallets.api.base import ListView, OrganizationInput, View
from wallets.api.filters import PublicIdFilter
from wallets.api.visibility import visible
from wallets.models import ConsumerGroup, Organization
from wallets.permissions import Action


class GroupOutput(serializers.Serializer):
    """A consumer group."""

    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    team_id = serializers.CharField(source="team.public_id")
    archived = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()

    def get_archived(self, group: ConsumerGroup) -> bool:
        """Whether the group has ended."""
        return group.archived_at is not None


class GroupInput(OrganizationInput):
    """A new consumer group."""

    name = serializers.CharField(max_length=100, help_text="Unique in the organisation.")
    team_id = serializers.CharField(max_length=80, help_text="Whose wallet pays.")


class GroupChange(OrganizationInput):
    """What may change of a group."""

    name = serializers.CharField(max_length=100)


class GroupFilters(filters.FilterSet):
    """Filters of the group list."""

    team_id = PublicIdFilter(field_name="team__slug", prefix="team_")
    name = filters.CharFilter()
    archived = filters.BooleanFilter(field_name="archived_at", lookup_expr="isnull", exclude=True)


class Groups(ListView):
    """The consumer groups you may see."""

    queryset = ConsumerGroup.objects.none()
    serializer_class = GroupOutput
    filterset_class = GroupFilters

    def rows(self) -> QuerySet[ConsumerGroup]:
        organization = self.organization()
        seen = visible(self.actor, Action.KEYS_READ, organization, user="")
        rows = ConsumerGroup.objects.for_organization(organization).filter(seen)
        return rows.select_related("team")

    @extend_schema(request=GroupInput, responses={201: GroupOutput})
    def post(self, request: Request) -> Response:
        """Create a consumer group of a team."""
        values = self.body(GroupInput)
        organization = self.organization(values)
        team = tenancy.resolve_team(self.actor, values["team_id"], organization=organization)
        group = groups.create_group(actor=self.actor, team=team, name=values["name"])
        return Response(GroupOutput(group).data, status=status.HTTP_201_CREATED)


class OneGroup(View):
    """One consumer group."""

    def found(self, group_id: str, organization: Organization, action: Action) -> ConsumerGroup:
        """The group, if the caller may."""
        rows = ConsumerGroup.objects.select_related("team__organization", "organization")
        group = tenancy.resolve(
            self.actor, rows, group_id, organization=organization, called="consumer group"
        )
        self.require(action, organization, team=group.team, named=f"consumer group {group_id}")
        return group

    @extend_schema(parameters=[OrganizationInput], responses=GroupOutput)
    def get(self, request: Request, group_id: str) -> Response:
        """One consumer group."""
        group = self.found(group_id, self.organization(self.query()), Action.KEYS_READ)
        return Response(GroupOutput(group).data)

    @extend_schema(request=GroupChange, responses=GroupOutput)
    def patch(self, request: Request, group_id: str) -> Response:
        """Rename a consumer group; its keys stay."""
        values = self.body(GroupChange)
        group = self.found(group_id, self.organization(values), Action.KEYS_MANAGE)
        renamed = groups.rename_group(actor=self.actor, group=group, name=values["name"])
        return Response(GroupOutput(renamed).data)

    @extend_schema(parameters=[OrganizationInput], responses={204: None})
    def delete(self, request: Request, group_id: str) -> Response:
        """End a consumer group and revoke its keys."""
        group = self.found(group_id, self.organization(self.query()), Action.KEYS_MANAGE)
        groups.archive_group(actor=self.actor, group=group)
        return Response(status=204)
