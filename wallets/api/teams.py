"""Teams and who is in them."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from keeptrusts.lib.rest.fields import AmountField
from wallets import people, permissions, tenancy
from wallets.api.base import ListView, OrganizationInput, View
from wallets.models import CostCentre, Organization, Team, TeamMembership, Wallet
from wallets.permissions import Action


class TeamOutput(serializers.Serializer):
    """A team."""

    id = serializers.CharField(source="public_id")
    slug = serializers.CharField()
    name = serializers.CharField()
    wallet = serializers.SerializerMethodField()
    cost_centre = serializers.SerializerMethodField()
    archived = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()

    def get_wallet(self, team: Team) -> str | None:
        """Public id of the team wallet."""
        wallets: dict[int, str] = self.context["wallets"]
        return wallets.get(team.pk)

    def get_cost_centre(self, team: Team) -> str | None:
        """The code that holds today."""
        codes: dict[int, str] = self.context["cost_centres"]
        return codes.get(team.pk)

    def get_archived(self, team: Team) -> bool:
        """Whether the team has ended."""
        return team.archived_at is not None


def beside(teams: Sequence[Team]) -> dict[str, Any]:
    """What team output shows beside the rows: two statements."""
    wallets = Wallet.objects.filter(team__in=teams, scope=Wallet.Scope.TEAM)
    begun = CostCentre.objects.filter(team__in=teams, valid_from__lte=timezone.now().date())
    return {
        "wallets": dict(wallets.values_list("team_id", "public_id")),
        "cost_centres": dict(begun.order_by("valid_from").values_list("team_id", "code")),
    }


class TeamInput(OrganizationInput):
    """A new team. Whether it may draw on the organisation wallet is chosen, not assumed."""

    slug = serializers.CharField(max_length=63, help_text="Part of its id: `team_<slug>`.")
    name = serializers.CharField(max_length=200)
    draws_on_organization = serializers.BooleanField()
    draw_per_day = AmountField(required=False, allow_null=True, default=None, allow_zero=True)
    draw_per_month = AmountField(required=False, allow_null=True, default=None, allow_zero=True)


class TeamChange(OrganizationInput):
    """What may change of a team; what is not given stays."""

    name = serializers.CharField(required=False, max_length=200)
    cost_centre = serializers.CharField(required=False, max_length=64)
    cost_centre_from = serializers.DateField(required=False, help_text="Default: today.")
    archived = serializers.BooleanField(required=False, help_text="`true` ends the team.")

    def validate_archived(self, value: bool) -> bool:
        """Ending a team is final."""
        if not value:
            raise serializers.ValidationError("must be true: a team that ended does not come back.")
        return value


class TeamFilters(filters.FilterSet):
    """Filters of the team list."""

    archived = filters.BooleanFilter(field_name="archived_at", lookup_expr="isnull", exclude=True)
    search = filters.CharFilter(method="named", help_text="Part of a name or slug.")

    def named(self, rows: QuerySet[Team], _name: str, text: str) -> QuerySet[Team]:
        """Teams called like ``text``."""
        return rows.filter(Q(name__icontains=text) | Q(slug__icontains=text))


class Teams(ListView):
    """The teams you may see."""

    queryset = Team.objects.none()
    serializer_class = TeamOutput
    filterset_class = TeamFilters
    keyset = ("slug",)

    def rows(self) -> QuerySet[Team]:
        organization = self.organization()
        rows = Team.objects.for_organization(organization)
        actor = self.actor
        if permissions.allows(actor, Action.TEAMS_READ, organization=organization):
            return rows
        own = [
            team.pk
            for team in rows.filter(pk__in=list(actor.team_roles))
            if permissions.allows(actor, Action.TEAMS_READ, organization=organization, team=team)
        ]
        return rows.filter(pk__in=own)

    def shown_with(self, page: Sequence[Team]) -> dict[str, Any]:
        return beside(page)

    @extend_schema(request=TeamInput, responses={201: TeamOutput})
    def post(self, request: Request) -> Response:
        """Create a team with an empty wallet."""
        values = self.body(TeamInput)
        organization = self.organization(values)
        values.pop("organization_id", None)
        team = people.create_team(actor=self.actor, organization=organization, **values)
        shown = TeamOutput(team, context=beside([team])).data
        return Response(shown, status=status.HTTP_201_CREATED)


class OneTeam(View):
    """One team."""

    def found(self, team_id: str, organization: Organization, action: Action) -> Team:
        """The team, if the caller may."""
        team = tenancy.resolve_team(self.actor, team_id, organization=organization)
        self.require(action, organization, team=team, named=f"team {team_id}")
        return team

    @extend_schema(parameters=[OrganizationInput], responses=TeamOutput)
    def get(self, request: Request, team_id: str) -> Response:
        """One team."""
        team = self.found(team_id, self.organization(self.query()), Action.TEAMS_READ)
        return Response(TeamOutput(team, context=beside([team])).data)

    @extend_schema(request=TeamChange, responses=TeamOutput)
    def patch(self, request: Request, team_id: str) -> Response:
        """Rename a team, set its cost centre, or end it (its wallets must be empty)."""
        values = self.body(TeamChange)
        team = self.found(team_id, self.organization(values), Action.TEAMS_READ)
        with transaction.atomic():
            team = self._changed(team, values)
        return Response(TeamOutput(team, context=beside([team])).data)

    def _changed(self, team: Team, values: dict[str, Any]) -> Team:
        """All changes or none."""
        if "name" in values:
            people.change_team(actor=self.actor, team=team, name=values["name"])
        if "cost_centre" in values:
            begins = values.get("cost_centre_from") or timezone.now().date()
            people.set_cost_centre(
                actor=self.actor, team=team, code=values["cost_centre"], valid_from=begins
            )
        if values.get("archived"):
            team = people.archive_team(actor=self.actor, team=team)
        return team


class MemberOutput(serializers.Serializer):
    """A person in a team."""

    user_id = serializers.CharField(source="user.public_id")
    username = serializers.CharField(source="user.username")
    role = serializers.ChoiceField(choices=TeamMembership.Role.choices)
    created_at = serializers.DateTimeField()


class MemberInput(OrganizationInput):
    """A member of the organisation, for a team."""

    user_id = serializers.CharField(max_length=80)
    role = serializers.ChoiceField(choices=TeamMembership.Role.choices, default="member")


class Members(ListView):
    """The people in a team."""

    queryset = TeamMembership.objects.none()
    serializer_class = MemberOutput

    def team(self, action: Action, values: dict[str, Any] | None = None) -> Team:
        """The team of the route, if the caller may."""
        organization = self.organization(values)
        team_id = self.kwargs["team_id"]
        team = tenancy.resolve_team(self.actor, team_id, organization=organization)
        self.require(action, organization, team=team, named=f"team {team_id}")
        return team

    def rows(self) -> QuerySet[TeamMembership]:
        team = self.team(Action.MEMBERS_READ)
        return TeamMembership.objects.filter(team=team).select_related("user")

    @extend_schema(request=MemberInput, responses=MemberOutput)
    def post(self, request: Request, team_id: str) -> Response:
        """Put somebody into the team, or change their role there."""
        values = self.body(MemberInput)
        team = self.team(Action.MEMBERS_MANAGE, values)
        user = tenancy.resolve_user(self.actor, values["user_id"], organization=team.organization)
        member = people.add_to_team(actor=self.actor, team=team, user=user, role=values["role"])
        return Response(MemberOutput(member).data)


class OneMember(View):
    """One person in a team."""

    @extend_schema(parameters=[OrganizationInput], responses={204: None})
    def delete(self, request: Request, team_id: str, user_id: str) -> Response:
        """Take somebody out of the team; their personal keys there are revoked."""
        organization = self.organization(self.query())
        team = tenancy.resolve_team(self.actor, team_id, organization=organization)
        self.require(Action.MEMBERS_MANAGE, organization, team=team, named=f"team {team_id}")
        user = tenancy.resolve_user(self.actor, user_id, organization=organization)
        people.remove_from_team(actor=self.actor, team=team, user=user)
        return Response(status=204)
