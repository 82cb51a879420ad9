"""Wallets of people: made from the team wallet, with limits."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from keeptrusts.lib.rest.fields import AmountField
from wallets import queries, tenancy, user_funding
from wallets.api.base import View
from wallets.api.movements import Described, entries_of
from wallets.api.openapi import IDEMPOTENCY_KEY
from wallets.api.outputs import TransactionOutput, WalletOutput
from wallets.api.wallets import Wallets
from wallets.models import Wallet


class UserWalletInput(Described):
    """A wallet for a member of a team."""

    team_id = serializers.CharField(max_length=80)
    user_id = serializers.CharField(max_length=80)
    amount = AmountField(
        required=False, allow_null=True, default=None, help_text="Taken from the team wallet."
    )
    hourly_limit = AmountField(required=False, allow_null=True, default=None, allow_zero=True)
    daily_limit = AmountField(required=False, allow_null=True, default=None, allow_zero=True)
    monthly_limit = AmountField(required=False, allow_null=True, default=None, allow_zero=True)
    draws_on_team = serializers.BooleanField(required=False, default=True)
    draw_per_day = AmountField(required=False, allow_null=True, default=None, allow_zero=True)
    draw_per_month = AmountField(required=False, allow_null=True, default=None, allow_zero=True)


class UserWalletOutput(serializers.Serializer):
    """The wallet as it was made."""

    id = serializers.CharField()
    scope = serializers.CharField()
    name = serializers.CharField()
    team_id = serializers.CharField()
    user_id = serializers.CharField()
    transactions = TransactionOutput(many=True, help_text="What it was funded with.")


class UserWallets(Wallets, View):
    """Wallets of people."""

    serializer_class = WalletOutput

    def rows(self) -> Any:
        return super().rows().filter(scope=Wallet.Scope.USER)

    @extend_schema(
        parameters=[IDEMPOTENCY_KEY], request=UserWalletInput, responses={201: UserWalletOutput}
    )
    def post(self, request: Request) -> Response:
        """Create a person's wallet, funded from the team wallet, with limits: all or nothing."""
        values = self.body(UserWalletInput)
        organization = self.organization(values)
        team = tenancy.resolve_team(self.actor, values["team_id"], organization=organization)
        user = tenancy.resolve_user(self.actor, values["user_id"], organization=organization)
        made, result = user_funding.create_funded(
            actor=self.actor,
            team=team,
            user=user,
            amount=values["amount"],
            notes=values["description"],
            limits={
                period: values[name]
                for period, name in user_funding.LIMITS.items()
                if values[name] is not None
            },
            draws_on_team=values["draws_on_team"],
            draw_per_day=values["draw_per_day"],
            draw_per_month=values["draw_per_month"],
            claim=self.claim(organization, "create_user_wallet"),
        )
        wallet = queries.wallets(organization).get(pk=made.pk)
        answer = {
            "id": wallet.public_id, "scope": wallet.scope, "name": wallet.name,
            "team_id": team.public_id, "user_id": user.public_id,
            "transactions": entries_of(result) if result else [],
        }  # fmt: skip
        return Response(UserWalletOutput(answer).data, status=status.HTTP_201_CREATED)
