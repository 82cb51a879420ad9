"""Correcting the charge of a request."""

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api.events import find
from keeptrusts.lib.rest.fields import CurrencyField, SignedAmountField
from wallets import adjustments, queries
from wallets.api.base import OrganizationInput, View
from wallets.api.movements import MovementOutput, moved
from wallets.api.openapi import money_operation
from wallets.api.outputs import requests_of
from wallets.errors import Conflict
from wallets.permissions import Action


class AdjustInput(OrganizationInput):
    """A correction: positive gives money back, negative takes more."""

    event_id = serializers.CharField(max_length=40, help_text="`req_…`, the request.")
    amount = SignedAmountField()
    currency = CurrencyField()
    description = serializers.CharField(max_length=500, help_text="Why; kept for ever.")


class Adjust(View):
    """Corrections of charges."""

    @money_operation(request=AdjustInput, responses=MovementOutput)
    def post(self, request: Request) -> Response:
        """Correct a settled charge by a new entry on the wallet that paid."""
        values = self.body(AdjustInput)
        organization = self.organization(values)
        self.require(Action.WALLETS_ADJUST, organization)
        event = find(self.actor, organization, values["event_id"], Action.EVENTS_READ)
        if event.reservation is None:
            raise Conflict("This request was not charged.", code="not_charged")
        result = adjustments.adjust(
            organization=organization,
            reservation_id=event.reservation,
            amount=values["amount"],
            actor=self.actor.public_id,
            notes=values["description"],
            claim=self.claim(organization, "adjust"),
        )
        wallet = queries.wallets(organization).get(pk=result.wallet_id or 0)
        answer = moved("adjust", wallet, result)
        context = {"requests": requests_of(answer["transactions"])}
        return Response(MovementOutput(answer, context=context).data)
