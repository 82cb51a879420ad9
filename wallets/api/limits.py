"""Limits: at most so much consumed under a scope per hour, day or month."""

from typing import Any

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from keeptrusts.lib.rest.fields import AmountField, CurrencyField, MoneyField, PublicIdField
from wallets import limits, tenancy
from wallets.api.base import ListView, OrganizationInput, View
from wallets.api.filters import PublicIdFilter
from wallets.api.visibility import visible
from wallets.errors import InvalidInput
from wallets.models import ConsumerGroup, GatewayKey, Limit, Organization
from wallets.permissions import Action


class LimitOutput(serializers.Serializer):
    """A limit and what it counts under."""

    id = serializers.CharField(source="public_id")
    scope = serializers.SerializerMethodField()
    team_id = PublicIdField(source="team")
    user_id = PublicIdField(source="user")
    key_id = PublicIdField(source="key")
    consumer_group_id = PublicIdField(source="consumer_group")
    period = serializers.ChoiceField(choices=Limit.Period.choices)
    amount = MoneyField()
    created_at = serializers.DateTimeField()

    def get_scope(self, limit: Limit) -> str:
        """``organization``, ``team``, ``user``, ``key`` or ``consumer_group``."""
        return limit.scope.partition(":")[0]


class LimitInput(OrganizationInput):
    """A limit on a person in a team, a key, a consumer group, a team, else the organisation."""

    period = serializers.ChoiceField(choices=Limit.Period.choices)
    amount = AmountField(allow_zero=True, help_text="0 allows nothing.")
    currency = CurrencyField()
    team_id = serializers.CharField(required=False, max_length=80)
    user_id = serializers.CharField(required=False, max_length=80)
    key_id = serializers.CharField(required=False, max_length=80)
    consumer_group_id = serializers.CharField(required=False, max_length=80)


class LimitFilters(filters.FilterSet):
    """Filters of the limit list."""

    team_id = PublicIdFilter(field_name="team__slug", prefix="team_")
    user_id = PublicIdFilter(field_name="user__public_id")
    key_id = PublicIdFilter(field_name="key__public_id")
    consumer_group_id = PublicIdFilter(field_name="consumer_group__public_id")
    period = filters.ChoiceFilter(choices=Limit.Period.choices)


class Limits(ListView):
    """The limits you may see."""

    queryset = Limit.objects.none()
    serializer_class = LimitOutput
    filterset_class = LimitFilters

    def rows(self) -> QuerySet[Limit]:
        organization = self.organization()
        actor, action = self.actor, Action.LIMITS_READ
        seen = visible(actor, action, organization)
        if seen:
            seen |= visible(actor, action, organization, team="key__team", user="key__user")
            seen |= visible(actor, action, organization, team="consumer_group__team", user="")
        rows = Limit.objects.for_organization(organization).filter(seen)
        return rows.select_related("team", "user", "key", "consumer_group")

    @extend_schema(request=LimitInput, responses=LimitOutput)
    def post(self, request: Request) -> Response:
        """Set or change the limit of a scope and period."""
        values = self.body(LimitInput)
        organization = self.organization(values)
        scope = self._scope(organization, values)
        owner = scope.get("key") or scope.get("consumer_group")
        team = owner.team if owner else scope.get("team")
        user = getattr(owner, "user", None) if owner else scope.get("user")
        self.require(Action.LIMITS_WRITE, organization, team=team, user=user)
        limit = limits.set_limit(
            organization=organization,
            period=values["period"],
            amount=values["amount"],
            actor=self.actor.public_id,
            **scope,
        )
        return Response(LimitOutput(limit).data)

    def _scope(self, organization: Organization, values: dict[str, Any]) -> dict[str, Any]:
        """The scope columns that the body names; raises where they do not go together."""
        named = {name for name in ("key_id", "consumer_group_id") if values.get(name)}
        if len(named) > 1 or (named and (values.get("team_id") or values.get("user_id"))):
            raise InvalidInput(named.pop(), "stands alone: a limit has one scope.")
        actor = self.actor
        found: dict[str, Any] = {}
        if "key_id" in named:
            keys = GatewayKey.objects.select_related("team", "user")
            found["key"] = tenancy.resolve(
                actor, keys, values["key_id"], organization=organization, called="key"
            )
        elif "consumer_group_id" in named:
            groups = ConsumerGroup.objects.select_related("team")
            found["consumer_group"] = tenancy.resolve(
                actor, groups, values["consumer_group_id"], organization=organization
            )
        if values.get("team_id"):
            found["team"] = tenancy.resolve_team(
                actor, values["team_id"], organization=organization
            )
        if values.get("user_id"):
            found["user"] = tenancy.resolve_user(
                actor, values["user_id"], organization=organization
            )
            if "team" not in found:
                raise InvalidInput("team_id", "is needed: the limit is on a person in a team.")
        return found


class OneLimit(View):
    """One limit."""

    @extend_schema(parameters=[OrganizationInput], responses={204: None})
    def delete(self, request: Request, limit_id: str) -> Response:
        """Take a limit away: no limit."""
        organization = self.organization(self.query())
        rows = Limit.objects.select_related("team", "user", "key__team", "consumer_group__team")
        limit = tenancy.resolve(self.actor, rows, limit_id, organization=organization)
        owner = limit.key or limit.consumer_group
        team = owner.team if owner else limit.team
        user = limit.key.user if limit.key else limit.user
        self.require(Action.LIMITS_WRITE, organization, team=team, user=user)
        limits.remove_limit(limit=limit, actor=self.actor.public_id)
        return Response(status=204)
