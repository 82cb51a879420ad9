"""Decision events: one per request, newest first."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from gateway.api import names
from gateway.models import DecisionEvent
from keeptrusts.lib.rest.fields import MoneyField
from wallets import permissions, tenancy
from wallets.api.base import ORGANIZATION_ID, ListView
from wallets.api.filters import MomentFilter
from wallets.api.visibility import visible
from wallets.errors import NotFound
from wallets.models import Organization
from wallets.permissions import Action


class UsageOutput(serializers.Serializer):
    """Tokens of a request; further classes where the provider named them."""

    prompt_tokens = serializers.IntegerField()
    completion_tokens = serializers.IntegerField()
    total_tokens = serializers.IntegerField()


class EventOutput(serializers.Serializer):
    """What the gateway decided about a request, and what it cost."""

    id = serializers.CharField()
    created_at = serializers.DateTimeField()
    consumer_group = serializers.SerializerMethodField()
    team_id = serializers.SerializerMethodField()
    user_id = serializers.SerializerMethodField()
    provider = serializers.CharField(allow_blank=True)
    model = serializers.CharField(allow_blank=True)
    route = serializers.CharField()
    verdict = serializers.ChoiceField(choices=DecisionEvent.Verdict.choices)
    reason_code = serializers.CharField(allow_blank=True)
    cost = MoneyField(allow_null=True, help_text="Null when refused.")
    usage = serializers.SerializerMethodField()
    hold = MoneyField()
    written_off = MoneyField()
    estimated_avoided_cost = MoneyField()
    cache = serializers.CharField(allow_blank=True)
    latency_ms = serializers.IntegerField()
    ttfb_ms = serializers.IntegerField(allow_null=True)
    wallet = serializers.SerializerMethodField(help_text="Paid by.")
    price_version = serializers.CharField(allow_blank=True)
    config_version = serializers.CharField(allow_blank=True)
    flags = serializers.ListField(child=serializers.CharField())
    tags = serializers.DictField(child=serializers.CharField())

    def _names(self) -> names.Names:
        known: names.Names = self.context["names"]
        return known

    def get_consumer_group(self, event: DecisionEvent) -> str | None:
        """Name of the consumer group."""
        return event.consumer_group_name or None

    def get_team_id(self, event: DecisionEvent) -> str | None:
        """Consumed by this team."""
        return self._names().teams.get(event.team_id or 0)

    def get_user_id(self, event: DecisionEvent) -> str | None:
        """Consumed by this person."""
        return self._names().users.get(event.user_id or 0)

    def get_wallet(self, event: DecisionEvent) -> str | None:
        """Paid by this wallet."""
        return self._names().wallets.get(event.wallet_id or 0)

    @extend_schema_field(UsageOutput)
    def get_usage(self, event: DecisionEvent) -> dict[str, int]:
        """Tokens by class."""
        totals = {
            "prompt_tokens": event.prompt_tokens,
            "completion_tokens": event.completion_tokens,
            "total_tokens": event.prompt_tokens + event.completion_tokens,
        }
        return {**(event.usage or {}), **totals}


class EventFilters(filters.FilterSet):
    """Filters of the event list."""

    team = filters.CharFilter(method="of_team", help_text="`engineering` or `team_engineering`.")
    team_id = filters.CharFilter(method="of_team")
    user_id = filters.CharFilter(method="of_user")
    verdict = filters.ChoiceFilter(choices=DecisionEvent.Verdict.choices)
    model = filters.CharFilter()
    provider = filters.CharFilter()
    reason_code = filters.CharFilter()
    consumer_group = filters.CharFilter(field_name="consumer_group_name")
    since = MomentFilter(field_name="created_at", lookup_expr="gte")
    until = MomentFilter(field_name="created_at", lookup_expr="lt")

    def _organization(self) -> Organization:
        given = self.request.query_params.get(ORGANIZATION_ID)
        return tenancy.resolve_organization(self.request.user.actor, given)

    def of_team(
        self, rows: QuerySet[DecisionEvent], _name: str, team: str
    ) -> QuerySet[DecisionEvent]:
        """Consumed by a team of the organisation; an unknown one is NotFound."""
        actor = self.request.user.actor
        found = tenancy.resolve_team(actor, team, organization=self._organization())
        return rows.filter(team_id=found.pk)

    def of_user(
        self, rows: QuerySet[DecisionEvent], _name: str, user: str
    ) -> QuerySet[DecisionEvent]:
        """Consumed by a person; an unknown one is NotFound."""
        actor = self.request.user.actor
        found = tenancy.resolve_user(actor, user, organization=self._organization())
        return rows.filter(user_id=found.pk)


class Events(ListView):
    """The requests you may see, newest first."""

    queryset = DecisionEvent.objects.none()
    serializer_class = EventOutput
    filterset_class = EventFilters
    keyset = ("-created_at", "-id")

    def rows(self) -> QuerySet[DecisionEvent]:
        organization = self.organization()
        seen = visible(self.actor, Action.EVENTS_READ, organization)
        return DecisionEvent.objects.filter(seen, organization=organization)

    def shown_with(self, page: Sequence[DecisionEvent]) -> dict[str, Any]:
        return {"names": names.of(page)}


def find(
    actor: tenancy.Actor, organization: Organization, event_id: str, action: Action
) -> DecisionEvent:
    """The event of the organisation, if the caller may; raises ``NotFound`` otherwise."""
    permissions.require(actor, Action.ORGANIZATION_READ, organization=organization)
    seen = visible(actor, action, organization)
    found = DecisionEvent.objects.filter(seen, organization=organization, pk=event_id).first()
    if found is None:
        raise NotFound(f"There is no event {event_id}.")
    return found
