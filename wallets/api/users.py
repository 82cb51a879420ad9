"""People of an organisation."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from wallets import people, permissions, tenancy
from wallets.api.base import ListView, OrganizationInput, View
from wallets.api.filters import PublicIdFilter
from wallets.api.visibility import own_teams, visible
from wallets.models import Membership, Organization, TeamMembership, User
from wallets.permissions import Action


class TeamRoleOutput(serializers.Serializer):
    """A team somebody is in."""

    team_id = serializers.CharField(source="team.public_id")
    role = serializers.ChoiceField(choices=TeamMembership.Role.choices)


class UserOutput(serializers.Serializer):
    """A person in the organisation."""

    id = serializers.CharField(source="user.public_id")
    username = serializers.CharField(source="user.username")
    email = serializers.CharField(source="user.email", allow_blank=True)
    role = serializers.ChoiceField(choices=Membership.Role.choices)
    active = serializers.BooleanField(source="user.is_active")
    teams = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()

    def get_teams(self, membership: Membership) -> list[dict[str, Any]]:
        """Their teams here."""
        teams: dict[int, list[TeamMembership]] = self.context["teams"]
        return list(TeamRoleOutput(teams.get(membership.user_id, []), many=True).data)


def beside(members: Sequence[Membership]) -> dict[str, Any]:
    """The teams of the people of a page: one statement."""
    teams: dict[int, list[TeamMembership]] = {}
    if members:
        rows = TeamMembership.objects.filter(
            organization=members[0].organization_id,
            user__in=[member.user_id for member in members],
        )
        for row in rows.select_related("team").order_by("team__slug"):
            teams.setdefault(row.user_id, []).append(row)
    return {"teams": teams}


class UserInput(OrganizationInput):
    """A new person."""

    username = serializers.CharField(max_length=150)
    email = serializers.CharField(required=False, default="", allow_blank=True, max_length=254)
    password = serializers.CharField(
        required=False,
        default=None,
        allow_null=True,
        max_length=128,
        trim_whitespace=False,
        write_only=True,
        help_text="Without one they cannot sign in yet.",
    )
    role = serializers.ChoiceField(choices=Membership.Role.choices, default="member")


class UserFilters(filters.FilterSet):
    """Filters of the user list."""

    role = filters.ChoiceFilter(choices=Membership.Role.choices)
    team_id = PublicIdFilter(method="of_team", prefix="team_")
    search = filters.CharFilter(method="named", help_text="Part of a user name or e-mail address.")

    def of_team(self, rows: QuerySet[Membership], _name: str, slug: str) -> QuerySet[Membership]:
        """People in a team."""
        teams = TeamMembership.objects.filter(team__slug=slug.removeprefix("team_"))
        return rows.filter(user__in=self._here(rows, teams).values("user"))

    def _here(
        self, rows: QuerySet[Membership], teams: QuerySet[TeamMembership]
    ) -> QuerySet[TeamMembership]:
        return teams.filter(organization__in=rows.values("organization"))

    def named(self, rows: QuerySet[Membership], _name: str, text: str) -> QuerySet[Membership]:
        """People called like ``text``."""
        return rows.filter(Q(user__username__icontains=text) | Q(user__email__icontains=text))


class Users(ListView):
    """The people you may see."""

    queryset = Membership.objects.none()
    serializer_class = UserOutput
    filterset_class = UserFilters

    def rows(self) -> QuerySet[Membership]:
        organization = self.organization()
        rows = Membership.objects.for_organization(organization).select_related("user")
        if permissions.allows(self.actor, Action.MEMBERS_READ, organization=organization):
            return rows
        visible(self.actor, Action.MEMBERS_READ, organization)
        teams = own_teams(self.actor, Action.MEMBERS_READ, organization)
        colleagues = TeamMembership.objects.filter(team__in=teams).values("user")
        return rows.filter(Q(user__in=colleagues) | Q(user=self.actor.user))

    def shown_with(self, page: Sequence[Membership]) -> dict[str, Any]:
        return beside(page)

    @extend_schema(request=UserInput, responses={201: UserOutput})
    def post(self, request: Request) -> Response:
        """Create a person as a member of the organisation."""
        values = self.body(UserInput)
        organization = self.organization(values)
        values.pop("organization_id", None)
        user = people.create_person(actor=self.actor, organization=organization, **values)
        return Response(_shown(organization, user), status=status.HTTP_201_CREATED)


class RoleInput(OrganizationInput):
    """What may change of a person."""

    role = serializers.ChoiceField(choices=Membership.Role.choices)


class OneUser(View):
    """One person."""

    def found(self, user_id: str, organization: Organization, action: Action) -> User:
        """The person, if the caller may."""
        user = tenancy.resolve_user(self.actor, user_id, organization=organization)
        teams = TeamMembership.objects.for_organization(organization).filter(user=user)
        for membership in teams.select_related("team"):
            if permissions.allows(
                self.actor, action, organization=organization, team=membership.team
            ):
                return user
        self.require(action, organization, user=user, named=f"user {user_id}")
        return user

    @extend_schema(parameters=[OrganizationInput], responses=UserOutput)
    def get(self, request: Request, user_id: str) -> Response:
        """One person with role and teams."""
        organization = self.organization(self.query())
        user = self.found(user_id, organization, Action.MEMBERS_READ)
        return Response(_shown(organization, user))

    @extend_schema(request=RoleInput, responses=UserOutput)
    def patch(self, request: Request, user_id: str) -> Response:
        """Change somebody's role."""
        values = self.body(RoleInput)
        organization = self.organization(values)
        user = self.found(user_id, organization, Action.MEMBERS_READ)
        people.set_role(actor=self.actor, organization=organization, user=user, role=values["role"])
        return Response(_shown(organization, user))

    @extend_schema(parameters=[OrganizationInput], responses={204: None})
    def delete(self, request: Request, user_id: str) -> Response:
        """Take somebody out: their teams, keys and tokens here end. Their wallets stay."""
        organization = self.organization(self.query())
        user = self.found(user_id, organization, Action.MEMBERS_READ)
        people.remove_member(actor=self.actor, organization=organization, user=user)
        return Response(status=204)


def _shown(organization: Organization, user: User) -> Any:
    member = Membership.objects.select_related("user").get(organization=organization, user=user)
    return UserOutput(member, context=beside([member])).data
