"""Reading wallets: list, one, its ledger, its history, and what a team or person can spend."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import BigIntegerField, ExpressionWrapper, F, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from keeptrusts.lib.rest.fields import AmountField, MomentField, MoneyField
from wallets import freezing, histories, people, queries, tenancy
from wallets.api.base import ListView, OrganizationInput, View
from wallets.api.filters import DollarsFilter, MomentFilter, PublicIdFilter
from wallets.api.outputs import (
    TransactionOutput,
    WalletDetailOutput,
    WalletOutput,
    requests_of,
)
from wallets.api.visibility import visible
from wallets.errors import InvalidInput
from wallets.models import Entry, Organization, Team, Wallet
from wallets.permissions import Action

STATUSES = ("depleted", "low", "healthy")
LONGEST_HISTORY = {"hour": timedelta(days=31), "day": timedelta(days=731)}


class WalletFilters(filters.FilterSet):
    """Filters of the wallet list."""

    scope = filters.ChoiceFilter(choices=Wallet.Scope.choices)
    status = filters.ChoiceFilter(
        choices=[(status, status) for status in STATUSES], method="with_status"
    )
    team_id = PublicIdFilter(field_name="team__slug", prefix="team_")
    user_id = PublicIdFilter(field_name="user__public_id")
    frozen = filters.BooleanFilter()
    search = filters.CharFilter(method="named", help_text="Part of a name.")

    def with_status(self, rows: QuerySet[Wallet], _name: str, status: str) -> QuerySet[Wallet]:
        """The same rule as ``Wallet.status``."""
        tenth = ExpressionWrapper(F("funded_balance") / 10, BigIntegerField())
        low = Coalesce(F("low_threshold"), tenth)
        rows = rows.alias(left=F("posted") - F("reserved") - F("debt"), low=low)
        if status == "depleted":
            return rows.filter(left__lte=0)
        below = Q(left__lt=F("low"))
        return rows.filter(below if status == "low" else ~below, left__gt=0)

    def named(self, rows: QuerySet[Wallet], _name: str, text: str) -> QuerySet[Wallet]:
        """Wallets whose team or person is called like ``text``."""
        return rows.filter(
            Q(team__name__icontains=text)
            | Q(team__slug__icontains=text)
            | Q(user__username__icontains=text)
            | Q(scope=Wallet.Scope.ORGANIZATION, organization__name__icontains=text)
        )


class Wallets(ListView):
    """The wallets you may see: organisation, then teams, then people."""

    queryset = Wallet.objects.none()
    serializer_class = WalletOutput
    filterset_class = WalletFilters
    keyset = ("scope", "id")

    def rows(self) -> QuerySet[Wallet]:
        organization = self.organization()
        seen = visible(self.actor, Action.WALLETS_READ, organization)
        return queries.wallets(organization).filter(seen)


class WalletChange(OrganizationInput):
    """Settings of a wallet; what is not given stays."""

    frozen = serializers.BooleanField(required=False)
    reason = serializers.CharField(required=False, max_length=200, help_text="Why it is frozen.")
    draws_on_parent = serializers.BooleanField(required=False)
    draw_per_day = AmountField(required=False, allow_null=True, allow_zero=True)
    draw_per_month = AmountField(required=False, allow_null=True, allow_zero=True)
    low_threshold = AmountField(required=False, allow_null=True, allow_zero=True)


class OneWallet(View):
    """One wallet."""

    def found(self, wallet_id: str, action: Action, organization: Organization) -> Wallet:
        """The wallet, if the caller may."""
        rows = queries.wallets(organization)
        wallet = tenancy.resolve(
            self.actor, rows, wallet_id, organization=organization, called="wallet"
        )
        named = f"wallet {wallet_id}"
        self.require(action, organization, team=wallet.team, user=wallet.user, named=named)
        return wallet

    @extend_schema(parameters=[OrganizationInput], responses=WalletDetailOutput)
    def get(self, request: Request, wallet_id: str) -> Response:
        """One wallet with its settings."""
        self.query()
        wallet = self.found(wallet_id, Action.WALLETS_READ, self.organization())
        return Response(WalletDetailOutput(wallet).data)

    @extend_schema(request=WalletChange, responses=WalletDetailOutput)
    def patch(self, request: Request, wallet_id: str) -> Response:
        """Freeze or unfreeze a wallet, or change its settings."""
        values = self.body(WalletChange)
        organization = self.organization(values)
        wallet = self.found(wallet_id, Action.WALLETS_READ, organization)
        with transaction.atomic():
            self._change(wallet, values)
        fresh = queries.wallets(organization).get(pk=wallet.pk)
        return Response(WalletDetailOutput(fresh).data)

    def _change(self, wallet: Wallet, values: dict[str, Any]) -> None:
        draws = {name: values[name] for name in values if name.startswith("draw")}
        if draws:
            people.set_draws(actor=self.actor, wallet=wallet, **draws)
        if "low_threshold" in values:
            people.set_low_threshold(
                actor=self.actor, wallet=wallet, amount=values["low_threshold"]
            )
        if "frozen" in values:
            self.require(
                Action.WALLETS_FREEZE, wallet.organization, team=wallet.team, user=wallet.user
            )
            change = freezing.freeze if values["frozen"] else freezing.unfreeze
            change(wallet=wallet, actor=self.actor.public_id, reason=values.get("reason", ""))


class TransactionFilters(filters.FilterSet):
    """Filters of a wallet's ledger."""

    type = filters.ChoiceFilter(
        choices=[*Entry.Type.choices, *((word, word) for word in queries.TYPE_ALIASES)],
        method="of_type",
        help_text="`allocation` means both directions.",
    )
    since = MomentFilter(field_name="created_at", lookup_expr="gte")
    until = MomentFilter(field_name="created_at", lookup_expr="lt")
    min_amount = DollarsFilter(method="at_least", help_text="Size of the change, without its sign.")
    max_amount = DollarsFilter(method="at_most", help_text="Size of the change, without its sign.")

    def of_type(self, rows: QuerySet[Entry], _name: str, type: str) -> QuerySet[Entry]:
        """Entries of a type or of an alias."""
        return queries.of_type(rows, type)

    @extend_schema_field({"type": "number", "minimum": 0})
    def at_least(self, rows: QuerySet[Entry], _name: str, size: int) -> QuerySet[Entry]:
        """Changes of at least this size."""
        sized = _sized(rows)
        return sized.filter(Q(change__gte=size) | Q(change__lte=-size))

    @extend_schema_field({"type": "number", "minimum": 0})
    def at_most(self, rows: QuerySet[Entry], _name: str, size: int) -> QuerySet[Entry]:
        """Changes of at most this size."""
        sized = _sized(rows)
        return sized.filter(change__gte=-size, change__lte=size)


def _sized(rows: QuerySet[Entry]) -> QuerySet[Any]:
    # Without the wrapper Django takes the difference for a 32-bit number on PostgreSQL.
    change = ExpressionWrapper(F("d_posted") - F("d_reserved") - F("d_debt"), BigIntegerField())
    return rows.alias(change=change)


class Transactions(ListView):
    """The ledger of a wallet, newest first."""

    queryset = Entry.objects.none()
    serializer_class = TransactionOutput
    filterset_class = TransactionFilters
    keyset = ("-seq",)

    def rows(self) -> QuerySet[Entry]:
        organization = self.organization()
        wallet = tenancy.resolve(
            self.actor,
            queries.wallets(organization),
            self.kwargs["wallet_id"],
            organization=organization,
            called="wallet",
        )
        self.require(
            Action.WALLETS_READ,
            organization,
            team=wallet.team,
            user=wallet.user,
            named=f"wallet {wallet.public_id}",
        )
        return queries.entries(wallet)

    def shown_with(self, page: Sequence[Entry]) -> dict[str, Any]:
        return {"requests": requests_of(page)}


class HistoryQuery(OrganizationInput):
    """Which part of a wallet's history."""

    since = MomentField(required=False, help_text="Default: 30 intervals ago.")
    until = MomentField(required=False, help_text="Default: now.")
    interval = serializers.ChoiceField(choices=list(histories.INTERVALS), default="day")


class PointOutput(serializers.Serializer):
    """What moved in an hour or day, and what was there at its end."""

    at = serializers.DateTimeField()
    money_in = MoneyField()
    money_out = MoneyField()
    spent = MoneyField()
    balance = MoneyField()
    reserved = MoneyField()


class HistoryOutput(serializers.Serializer):
    """A wallet's balance over time."""

    wallet = serializers.CharField()
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    interval = serializers.CharField()
    opening_balance = MoneyField()
    points = PointOutput(many=True)


class History(OneWallet):
    """The balance of a wallet over time."""

    http_method_names = ["get"]

    @extend_schema(parameters=[HistoryQuery], responses=HistoryOutput)
    def get(self, request: Request, wallet_id: str) -> Response:
        """One point per hour or day that had entries."""
        query = self.query(HistoryQuery)
        wallet = self.found(wallet_id, Action.WALLETS_READ, self.organization(query))
        interval = query["interval"]
        until = query.get("until") or timezone.now()
        unit = timedelta(hours=1) if interval == "hour" else timedelta(days=1)
        since = query.get("since") or until - 30 * unit
        if not since < until <= since + LONGEST_HISTORY[interval]:
            most = LONGEST_HISTORY[interval].days
            raise InvalidInput("since", f"must be before until, by at most {most} days.")
        points = histories.of_wallet(wallet, since=since, until=until, interval=interval)
        answer = {
            "wallet": wallet.public_id, "since": since, "until": until, "interval": interval,
            "opening_balance": queries.balance_at(wallet, since), "points": points,
        }  # fmt: skip
        return Response(HistoryOutput(answer).data)


class BalanceQuery(OrganizationInput):
    """Whose balance."""

    team_id = serializers.CharField(required=False, max_length=80)
    user_id = serializers.CharField(required=False, max_length=80)


class BalanceOutput(serializers.Serializer):
    """What a team or person can spend: every wallet of the cascade, and the one that pays now."""

    available = MoneyField(help_text="The largest hold a single request may take.")
    effective_wallet = serializers.CharField(allow_null=True)
    effective_scope = serializers.CharField(allow_null=True)
    effective_balance = MoneyField(allow_null=True)
    currency = serializers.CharField()
    wallets = WalletOutput(many=True)


class Balance(View):
    """The cascade of a team or person."""

    @extend_schema(parameters=[BalanceQuery], responses=BalanceOutput)
    def get(self, request: Request) -> Response:
        """Each scope's balance, and the wallet that would pay now."""
        query = self.query(BalanceQuery)
        organization = self.organization(query)
        found = self._balances(organization, query.get("team_id"), query.get("user_id"))
        effective = found.effective
        answer = {
            "available": found.available,
            "effective_wallet": effective and effective.public_id,
            "effective_scope": effective and effective.scope,
            "effective_balance": effective and effective.balance,
            "currency": "USD",
            "wallets": found.wallets,
        }
        return Response(BalanceOutput(answer).data)

    def _balances(
        self, organization: Organization, team_id: str | None, user_id: str | None
    ) -> queries.Balances:
        actor = self.actor
        user = tenancy.resolve_user(actor, user_id, organization=organization) if user_id else None
        if team_id:
            team = tenancy.resolve_team(actor, team_id, organization=organization)
        elif user is not None:
            team = self._only_team(organization, user.pk)
        else:
            self.require(Action.BALANCE_READ, organization)
            own = queries.wallets(organization).get(scope=Wallet.Scope.ORGANIZATION)
            paying = own if own.available > 0 and not own.frozen else None
            return queries.Balances(wallets=[own], effective=paying)
        self.require(Action.BALANCE_READ, organization, team=team, user=user)
        return queries.balances(organization, team, user)

    def _only_team(self, organization: Organization, user: int) -> Team:
        teams = list(Team.objects.for_organization(organization).filter(memberships__user=user)[:2])
        if len(teams) != 1:
            raise InvalidInput("team_id", "is needed: the person is not in exactly one team.")
        teams[0].organization = organization
        return teams[0]
