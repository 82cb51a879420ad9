"""Cost tickets: requests that a wallet could not pay, to be approved or dismissed."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from keeptrusts.lib.rest.fields import AmountField, MoneyField, PublicIdField
from wallets import tenancy, tickets
from wallets.api.base import ListView, OrganizationInput, View
from wallets.api.filters import PublicIdFilter
from wallets.api.openapi import money_operation
from wallets.api.visibility import visible
from wallets.models import CostTicket, Organization
from wallets.permissions import Action


class TicketOutput(serializers.Serializer):
    """Requests of a team that one wallet could not pay in one hour."""

    id = serializers.CharField(source="public_id")
    team_id = PublicIdField(source="team")
    user_id = PublicIdField(source="user")
    wallet = serializers.CharField(source="wallet.public_id", help_text="The one that was short.")
    state = serializers.ChoiceField(choices=CostTicket.State.choices)
    reason = serializers.CharField(source="reason_code")
    missing = MoneyField(
        source="standing.missing",
        help_text="While it is open: what an approval without an amount moves.",
    )
    requests = serializers.IntegerField(help_text="How many were refused or had to wait.")
    recent_requests = serializers.ListField(
        source="recent", child=serializers.CharField(), help_text="Ids of the latest ones."
    )
    waiting = serializers.IntegerField(
        source="standing.waiting", help_text="How many wait for it now."
    )
    waiting_since = serializers.DateTimeField(
        source="standing.oldest_at", allow_null=True, help_text="When the oldest of them came."
    )
    first_at = serializers.DateTimeField()
    last_at = serializers.DateTimeField()
    decided_by = serializers.CharField(allow_blank=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    amount = MoneyField(
        source="approved_amount", allow_null=True, help_text="What approvals have moved in all."
    )
    served = serializers.IntegerField(help_text="How many that waited approvals let go on.")
    note = serializers.CharField(allow_blank=True)
    fund_url = serializers.URLField(
        source="standing.fund_url", help_text="The page on which the wallet is funded."
    )


def shown(ticket: CostTicket) -> dict[str, Any]:
    """One ticket as the API shows it."""
    _add_standing([ticket])
    answer: dict[str, Any] = TicketOutput(ticket).data
    return answer


def _add_standing(page: Sequence[CostTicket]) -> None:
    found = tickets.standing(page)
    for ticket in page:
        ticket.standing = found[ticket.pk]  # type: ignore[attr-defined]


class TicketFilters(filters.FilterSet):
    """Filters of the list."""

    state = filters.ChoiceFilter(choices=CostTicket.State.choices)
    team = PublicIdFilter(
        field_name="team__slug", prefix="team_", help_text="`engineering` or `team_engineering`."
    )


class Tickets(ListView):
    """The cost tickets you may see, newest first."""

    queryset = CostTicket.objects.none()
    serializer_class = TicketOutput
    filterset_class = TicketFilters
    keyset = ("-id",)

    def rows(self) -> QuerySet[CostTicket]:
        organization = self.organization()
        return tickets.rows(organization).filter(
            visible(self.actor, Action.TICKETS_READ, organization)
        )

    def shown_with(self, page: Sequence[CostTicket]) -> dict[str, Any]:
        _add_standing(page)
        return {}


class OneTicket(View):
    """One cost ticket."""

    def found(self, ticket_id: str, organization: Organization) -> CostTicket:
        """The ticket, if the caller may know of it."""
        ticket = tenancy.resolve(
            self.actor,
            tickets.rows(organization),
            ticket_id,
            organization=organization,
            called="cost ticket",
        )
        named = f"cost ticket {ticket_id}"
        self.require(
            Action.TICKETS_READ, organization, team=ticket.team, user=ticket.user, named=named
        )
        return ticket

    @extend_schema(parameters=[OrganizationInput], responses=TicketOutput)
    def get(self, request: Request, ticket_id: str) -> Response:
        """Who was refused or waits, and what is missing."""
        return Response(shown(self.found(ticket_id, self.organization(self.query()))))


class ApproveInput(OrganizationInput):
    """How much, and why."""

    amount = AmountField(
        required=False, allow_null=True, default=None, help_text="Default: what is missing now."
    )
    note = serializers.CharField(required=False, default="", allow_blank=True, max_length=500)


class ApproveTicket(OneTicket):
    """Approval of a ticket."""

    http_method_names = ["post"]

    @money_operation(request=ApproveInput, responses=TicketOutput)
    def post(self, request: Request, ticket_id: str) -> Response:
        """Move the missing money from the wallet above and let those who wait go on.

        Oldest first, in one step. Where nobody waits any more the money stays in the wallet. Where
        it is too little for those who wait the ticket stays `open`, with what is still `missing`. A
        ticket on the organization wallet answers 409 `top_up_needed`.
        """
        values = self.body(ApproveInput)
        organization = self.organization(values)
        ticket = self.found(ticket_id, organization)
        decided = tickets.approve(
            actor=self.actor,
            ticket=ticket,
            amount=values["amount"],
            note=values["note"],
            claim=self.claim(organization, f"approve_ticket:{ticket.public_id}"),
        )
        return Response(shown(decided))


class DismissInput(OrganizationInput):
    """Why."""

    note = serializers.CharField(required=False, default="", allow_blank=True, max_length=500)


class DismissTicket(OneTicket):
    """Dismissal of a ticket."""

    http_method_names = ["post"]

    @extend_schema(request=DismissInput, responses=TicketOutput)
    def post(self, request: Request, ticket_id: str) -> Response:
        """Refuse: those who wait get their 402 at once. Moves no money."""
        values = self.body(DismissInput)
        ticket = self.found(ticket_id, self.organization(values))
        return Response(
            shown(tickets.dismiss(actor=self.actor, ticket=ticket, note=values["note"]))
        )
