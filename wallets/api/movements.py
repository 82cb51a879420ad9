"""Operations that move money: credit, allocate, allocate in bulk, reclaim.

Every answer is built from ledger entries, which never change: a replay answers the same bytes.
"""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from keeptrusts.lib.rest.fields import (
    AmountField,
    AmountOrAllField,
    CurrencyField,
    MomentField,
    MoneyField,
)
from wallets import allocations, credits
from wallets.api import targets
from wallets.api.base import OrganizationInput, View
from wallets.api.openapi import money_operation
from wallets.api.outputs import TransactionOutput
from wallets.api.targets import TargetInput
from wallets.errors import InvalidInput
from wallets.ledger import Result
from wallets.models import Entry, Organization, Wallet
from wallets.permissions import Action

MOST_TARGETS = 500


class Described(OrganizationInput):
    """What every movement takes: a currency and a reason."""

    currency = CurrencyField()
    description = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=500, help_text="Kept for ever."
    )


class WithSource(Described):
    """A movement whose source may be named."""

    def get_fields(self) -> dict[str, Any]:
        """``from`` is a word of Python's own, so it cannot be an attribute."""
        fields: dict[str, Any] = super().get_fields()
        fields["from"] = serializers.CharField(
            required=False,
            max_length=80,
            help_text="`organization`, `team_<slug>` or `wal_…`; default: the wallet above.",
        )
        return fields


class CreditInput(Described):
    """Money for the organisation wallet."""

    amount = AmountField()
    expires_at = MomentField(
        required=False, allow_null=True, default=None, help_text="When what is unused leaves again."
    )


class AllocateInput(WithSource, TargetInput):
    """Money for a team or a person."""

    amount = AmountField()


class ReclaimInput(Described, TargetInput):
    """Money back to the wallet above."""

    amount = AmountOrAllField()


class BulkTarget(TargetInput):
    """One line of a bulk allocation."""

    amount = AmountField()


class BulkInput(WithSource):
    """Many targets, all or nothing."""

    allocations = BulkTarget(
        many=True,
        allow_empty=False,
        max_length=MOST_TARGETS,  # type: ignore[call-arg]
    )


class MovementOutput(serializers.Serializer):
    """What was moved. ``wallet`` and ``balance`` are those of the wallet that was named."""

    operation = serializers.CharField()
    id = serializers.CharField(help_text="The transfer, or the transaction of a credit.")
    wallet = serializers.CharField()
    team_id = serializers.CharField(allow_null=True)
    user_id = serializers.CharField(allow_null=True)
    amount = MoneyField()
    currency = serializers.CharField()
    balance = MoneyField(help_text="Right after the operation.")
    description = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    transactions = TransactionOutput(many=True)


class BulkOutput(serializers.Serializer):
    """A bulk allocation; transactions in pairs, out and in."""

    operation = serializers.CharField()
    id = serializers.CharField()
    amount = MoneyField(help_text="All targets together.")
    currency = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    transactions = TransactionOutput(many=True)


def entries_of(result: Result) -> list[Entry]:
    """The entries an operation wrote, in order; one or two statements."""
    wallet_id, seq = result.seqs[0]
    rows = Entry.objects.select_related("wallet")
    first = rows.get(wallet_id=wallet_id, seq=seq)
    if first.transfer is None:
        return [first]
    return list(rows.filter(transfer=first.transfer).order_by("id"))


def moved(operation: str, wallet: Wallet, result: Result) -> dict[str, Any]:
    """The answer to a movement of one wallet, from what the ledger keeps."""
    entries = entries_of(result)
    own = next(entry for entry in entries if entry.wallet_id == wallet.pk)
    return {
        "operation": operation,
        "id": str(own.transfer or own.public_id),
        "wallet": wallet.public_id,
        "team_id": wallet.team.public_id if wallet.team else None,
        "user_id": wallet.user.public_id if wallet.user else None,
        "amount": result.amount,
        "currency": "USD",
        "balance": own.balance_after,
        "description": own.notes,
        "created_at": own.created_at,
        "transactions": entries,
    }


class Credit(View):
    """Money enters the organisation wallet."""

    @money_operation(request=CreditInput, responses=MovementOutput)
    def post(self, request: Request) -> Response:
        """Credit the organisation wallet; `description` is required.

        Platform administrators always; billing admins where the organisation funds itself.
        """
        values = self.body(CreditInput)
        organization = self.organization(values)
        self.require(Action.WALLETS_CREDIT, organization)
        result = credits.credit(
            organization=organization,
            amount=values["amount"],
            actor=self.actor.public_id,
            notes=values["description"],
            by_platform=self.actor.platform,
            expires_at=values["expires_at"],
            claim=self.claim(organization, "credit"),
        )
        wallet = targets.source(organization, targets.ORGANIZATION)
        return Response(MovementOutput(moved("credit", wallet, result)).data)


class Allocate(View):
    """Money goes down: organisation to team, team to person."""

    @money_operation(request=AllocateInput, responses=MovementOutput)
    def post(self, request: Request) -> Response:
        """Add money to a team's or person's wallet. To lower a budget, reclaim."""
        values = self.body(AllocateInput)
        organization = self.organization(values)
        target = targets.wallet(organization, values)
        source = _source(self, organization, values, target)
        result = allocations.allocate(
            organization=organization,
            source=source,
            target=target,
            amount=values["amount"],
            actor=self.actor.public_id,
            notes=values["description"],
            claim=self.claim(organization, "allocate"),
        )
        return Response(MovementOutput(moved("allocate", target, result)).data)


class BulkAllocate(View):
    """Money goes down to many wallets."""

    @money_operation(request=BulkInput, responses=BulkOutput)
    def post(self, request: Request) -> Response:
        """Allocate from one source to many targets: all of them or none."""
        values = self.body(BulkInput)
        organization = self.organization(values)
        lines = list(
            zip(
                targets.wallets(organization, values["allocations"]),
                [line["amount"] for line in values["allocations"]],
                strict=True,
            )
        )
        sources = {
            wallet.pk: wallet
            for wallet in (_source(self, organization, values, target) for target, _ in lines)
        }
        if len(sources) != 1:
            raise InvalidInput("from", "is needed: the targets have different wallets above them.")
        result = allocations.allocate_bulk(
            organization=organization,
            source=sources.popitem()[1],
            targets=lines,
            actor=self.actor.public_id,
            notes=values["description"],
            claim=self.claim(organization, "allocate_bulk"),
        )
        return Response(BulkOutput(_moved_in_bulk(result)).data)


class Reclaim(View):
    """Money goes back up: person to team, team to organisation."""

    @money_operation(request=ReclaimInput, responses=MovementOutput)
    def post(self, request: Request) -> Response:
        """Take money back; `"amount": "all"` takes what is available. Open holds stay."""
        values = self.body(ReclaimInput)
        organization = self.organization(values)
        wallet = targets.wallet(organization, values)
        self.require(Action.WALLETS_RECLAIM, organization, team=wallet.team, user=wallet.user)
        result = allocations.reclaim(
            organization=organization,
            wallet=wallet,
            amount=values["amount"],
            actor=self.actor.public_id,
            notes=values["description"],
            claim=self.claim(organization, "reclaim"),
        )
        return Response(MovementOutput(moved("reclaim", wallet, result)).data)


def _source(
    view: View, organization: Organization, values: dict[str, Any], target: Wallet
) -> Wallet:
    """The wallet an allocation takes from, if the caller may do that."""
    view.require(Action.WALLETS_ALLOCATE, organization, team=target.team, user=target.user)
    if not values.get("from"):
        return allocations.parent_of(target)
    source = targets.source(organization, values["from"])
    if source.scope == Wallet.Scope.ORGANIZATION:
        view.require(Action.WALLETS_ALLOCATE, organization)
    return source


def _moved_in_bulk(result: Result) -> dict[str, Any]:
    entries = entries_of(result)
    return {
        "operation": "allocate_bulk",
        "id": str(entries[0].transfer),
        "amount": result.amount,
        "currency": "USD",
        "description": entries[0].notes,
        "created_at": entries[0].created_at,
        "transactions": entries,
    }
