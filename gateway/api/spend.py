"""What teams have used of their budgets, and usage by whatever one asks for."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway import usage
from gateway.api import names
from gateway.models import DecisionEvent
from keeptrusts.lib.rest.fields import MomentField, MoneyField
from wallets import budgets, periods, permissions, tenancy
from wallets.api.base import OrganizationInput, View
from wallets.api.visibility import own_teams, visible
from wallets.budgets import Budget
from wallets.errors import InvalidInput
from wallets.models import Organization, Team
from wallets.permissions import Action

LONGEST_RANGE = timedelta(days=400)
PERCENT_STEP = Decimal("0.000000001")


class PeriodOutput(serializers.Serializer):
    """First and last day of the month."""

    start = serializers.DateField()
    end = serializers.DateField()


class ModelSpendOutput(serializers.Serializer):
    """What one model cost."""

    model = serializers.CharField()
    cost = MoneyField(help_text="Net of adjustments; all models together are what was spent.")
    adjusted = MoneyField(help_text="Sum of adjustments; money given back is negative.")
    tokens = serializers.IntegerField()
    requests = serializers.IntegerField()


class TeamSpendOutput(serializers.Serializer):
    """The budget of a team this month, and what it used of it."""

    team = serializers.CharField(help_text="Slug.")
    team_id = serializers.CharField()
    name = serializers.CharField()
    period = PeriodOutput()
    budget = MoneyField(help_text="Balance at the start + allocations in - reclaims out.")
    spent = MoneyField(help_text="Consumed by the team, whoever paid.")
    remaining = MoneyField()
    usage_percent = serializers.DecimalField(
        max_digits=24, decimal_places=9, coerce_to_string=False, allow_null=True
    )
    balance = MoneyField(help_text="Now: the team wallet and its user wallets together.")
    burn_rate_per_day = MoneyField()
    drawn_from_organization = MoneyField()
    models = ModelSpendOutput(many=True)


class SpendOutput(serializers.Serializer):
    """One entry per team."""

    results = TeamSpendOutput(many=True)


class SpendQuery(OrganizationInput):
    """Which team; without one all that the caller may see."""

    team = serializers.CharField(
        required=False, max_length=80, help_text="`engineering` or `team_engineering`."
    )


class Spend(View):
    """Budgets and spend of this month."""

    @extend_schema(parameters=[SpendQuery], responses=SpendOutput)
    def get(self, request: Request) -> Response:
        """Budget, spend and balance per team, with a breakdown by model."""
        query = self.query(SpendQuery)
        organization = self.organization(query)
        teams = self._teams(organization, query.get("team"))
        now = timezone.now()
        found = budgets.of_teams(organization, teams, now)
        models = usage.by_model(organization, teams, now)
        results = [_shown(found[team.pk], models.get(team.pk, [])) for team in teams]
        return Response(SpendOutput({"results": results}).data)

    def _teams(self, organization: Organization, team: str | None) -> list[Team]:
        if team:
            found = tenancy.resolve_team(self.actor, team, organization=organization)
            self.require(Action.USAGE_READ, organization, team=found)
            return [found]
        rows = Team.objects.for_organization(organization).filter(archived_at=None)
        if permissions.allows(self.actor, Action.USAGE_READ, organization=organization):
            return list(rows)
        own = own_teams(self.actor, Action.USAGE_READ, organization)
        if not own:
            self.require(Action.USAGE_READ, organization)
        return list(rows.filter(pk__in=own))


def _shown(budget: Budget, models: list[usage.ModelSpend]) -> dict[str, Any]:
    return {
        "team": budget.team.slug,
        "team_id": budget.team.public_id,
        "name": budget.team.name,
        "period": {"start": budget.starts_on, "end": budget.ends_on},
        "budget": budget.budget,
        "spent": budget.spent,
        "remaining": budget.remaining,
        "usage_percent": _percent(budget),
        "balance": budget.balance,
        "burn_rate_per_day": budget.burn_rate_per_day,
        "drawn_from_organization": budget.drawn_from_organization,
        "models": models,
    }


def _percent(budget: Budget) -> Decimal | None:
    """Exact to a billionth of a percent; None where there is nothing to be a share of."""
    if budget.budget <= 0:
        return None
    share = Decimal(budget.spent) * 100 / Decimal(budget.budget)
    return share.quantize(PERCENT_STEP)


class UsageQuery(OrganizationInput):
    """Which requests, and what to sum them by."""

    group_by = serializers.ChoiceField(choices=list(usage.GROUPS), default="team")
    since = MomentField(required=False, help_text="Default: start of the month.")
    until = MomentField(required=False, help_text="Default: now.")
    team = serializers.CharField(required=False, max_length=80)


class UsedOutput(serializers.Serializer):
    """One group. ``key`` is a public id, a name, or a day; null where a request had none."""

    key = serializers.CharField(allow_null=True)
    cost = MoneyField()
    requests = serializers.IntegerField()
    blocked = serializers.IntegerField()
    cached = serializers.IntegerField()
    prompt_tokens = serializers.IntegerField()
    completion_tokens = serializers.IntegerField()
    total_tokens = serializers.IntegerField()
    estimated_avoided_cost = MoneyField()


class UsageReportOutput(serializers.Serializer):
    """Usage in a range of time."""

    group_by = serializers.CharField()
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    total_cost = MoneyField()
    results = UsedOutput(many=True)


class Usage(View):
    """Usage and cost of requests."""

    @extend_schema(parameters=[UsageQuery], responses=UsageReportOutput)
    def get(self, request: Request) -> Response:
        """Cost, requests and tokens by team, user, consumer group, model or day."""
        query = self.query(UsageQuery)
        organization = self.organization(query)
        since, until = _range(organization, query)
        seen = visible(self.actor, Action.USAGE_READ, organization)
        rows = DecisionEvent.objects.filter(
            seen, organization=organization, created_at__gte=since, created_at__lt=until
        )
        if query.get("team"):
            team = tenancy.resolve_team(self.actor, query["team"], organization=organization)
            rows = rows.filter(team_id=team.pk)
        group_by = query["group_by"]
        found = usage.grouped(organization, rows, group_by)
        answer = {
            "group_by": group_by,
            "since": since,
            "until": until,
            "total_cost": sum(used.cost for used in found),
            "results": _named(found, group_by),
        }
        return Response(UsageReportOutput(answer).data)


def _range(organization: Organization, query: dict[str, Any]) -> tuple[datetime, datetime]:
    until = query.get("until") or timezone.now()
    since = query.get("since") or periods.start("month", until, organization.time_zone)
    if not since < until <= since + LONGEST_RANGE:
        raise InvalidInput("since", f"must be before until, by at most {LONGEST_RANGE.days} days.")
    return since, until


def _named(found: list[usage.Used], group_by: str) -> list[dict[str, Any]]:
    keys: dict[Any, Any] = {}
    if group_by == "team":
        keys = dict(names.teams(used.key for used in found))
    elif group_by == "user":
        keys = dict(names.users(used.key for used in found))
    else:
        keys = {used.key: str(used.key) for used in found if used.key}
    return [
        {
            "key": keys.get(used.key),
            "cost": used.cost,
            "requests": used.requests,
            "blocked": used.blocked,
            "cached": used.cached,
            "prompt_tokens": used.prompt_tokens,
            "completion_tokens": used.completion_tokens,
            "total_tokens": used.prompt_tokens + used.completion_tokens,
            "estimated_avoided_cost": used.avoided,
        }
        for used in found
    ]
