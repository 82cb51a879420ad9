"""What wallets would have refused, had they been enforced: the report of shadow mode."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway import shadow
from gateway.api import names
from gateway.models import DecisionEvent
from gateway.shadow import Report, Tally
from keeptrusts.lib.rest.fields import MomentField, MoneyField
from wallets import tenancy
from wallets.api.base import OrganizationInput, View
from wallets.api.visibility import visible
from wallets.errors import InvalidInput
from wallets.permissions import Action

DEFAULT_RANGE, LONGEST_RANGE = timedelta(days=7), timedelta(days=92)


class ShadowQuery(OrganizationInput):
    """Which requests."""

    since = MomentField(required=False, help_text="Default: seven days before `until`.")
    until = MomentField(required=False, help_text="Default: now.")
    team = serializers.CharField(
        required=False, max_length=80, help_text="`engineering` or `team_engineering`."
    )


class TallyOutput(serializers.Serializer):
    """Requests, how many of them would have been refused, and what both cost."""

    requests = serializers.IntegerField()
    would_refuse = serializers.IntegerField(source="refusable")
    cost_passed = MoneyField(help_text="Of those that would have passed.")
    cost_refused = MoneyField(
        source="cost_refusable", help_text="Of those that would have been refused."
    )


class CodeTallyOutput(TallyOutput):
    """Would-be refusals with one code."""

    code = serializers.CharField(help_text="As a 402 would have said it.")


class ConsumerTallyOutput(TallyOutput):
    """Requests of one team and consumer group."""

    team_id = serializers.CharField(allow_null=True)
    consumer_group = serializers.CharField(allow_blank=True)


class ModelTallyOutput(TallyOutput):
    """Requests for one model."""

    model = serializers.CharField(allow_blank=True)


class ShadowReportOutput(TallyOutput):
    """The report of a range of time."""

    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    first_at = serializers.DateTimeField(
        allow_null=True, help_text="Of the first would-be refusal."
    )
    last_at = serializers.DateTimeField(allow_null=True, help_text="Of the last one.")
    by_code = CodeTallyOutput(many=True)
    by_consumer = ConsumerTallyOutput(many=True)
    by_model = ModelTallyOutput(many=True)


class ShadowReport(View):
    """What enforcement would have refused."""

    @extend_schema(parameters=[ShadowQuery], responses=ShadowReportOutput)
    def get(self, request: Request) -> Response:
        """Would-be refusals by code, team and group, and model, with what they cost."""
        query = self.query(ShadowQuery)
        organization = self.organization(query)
        since, until = _range(query)
        seen = visible(self.actor, Action.USAGE_READ, organization)
        rows = DecisionEvent.objects.filter(
            seen, organization=organization, created_at__gte=since, created_at__lt=until
        )
        if query.get("team"):
            team = tenancy.resolve_team(self.actor, query["team"], organization=organization)
            self.require(Action.USAGE_READ, organization, team=team)
            rows = rows.filter(team_id=team.pk)
        answer = {"since": since, "until": until, **_shown(shadow.report(rows))}
        return Response(ShadowReportOutput(answer).data)


def _range(query: dict[str, Any]) -> tuple[datetime, datetime]:
    until = query.get("until") or timezone.now()
    since = query.get("since") or until - DEFAULT_RANGE
    if not since < until <= since + LONGEST_RANGE:
        raise InvalidInput("since", f"must be before until, by at most {LONGEST_RANGE.days} days.")
    return since, until


def _shown(report: Report) -> dict[str, Any]:
    teams = names.teams(team for team, _ in report.by_consumer)
    return {
        **_sums(report.total),
        "first_at": report.first_at,
        "last_at": report.last_at,
        "by_code": [{"code": code, **_sums(tally)} for code, tally in report.by_code.items()],
        "by_consumer": [
            {"team_id": teams.get(team or 0), "consumer_group": group, **_sums(tally)}
            for (team, group), tally in report.by_consumer.items()
        ],
        "by_model": [{"model": model, **_sums(tally)} for model, tally in report.by_model.items()],
    }


def _sums(tally: Tally) -> dict[str, int]:
    return {
        "requests": tally.requests,
        "refusable": tally.refusable,
        "cost_passed": tally.cost_passed,
        "cost_refusable": tally.cost_refusable,
    }
