"""How wallets and transactions look in /v1. Public ids only."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from keeptrusts.lib.rest.fields import MoneyField, PublicIdField
from wallets.models import Entry, Reservation, Wallet


class WalletOutput(serializers.Serializer):
    """A wallet: ``balance`` = posted - reserved - debt, what a new request may use."""

    id = serializers.CharField(source="public_id")
    scope = serializers.ChoiceField(choices=Wallet.Scope.choices)
    name = serializers.CharField()
    team_id = PublicIdField(source="team")
    user_id = PublicIdField(source="user")
    balance = MoneyField()
    posted = MoneyField()
    reserved = MoneyField()
    debt = MoneyField()
    total_allocated = MoneyField()
    total_spent = MoneyField()
    status = serializers.ChoiceField(choices=["depleted", "low", "healthy"])
    frozen = serializers.BooleanField()


class WalletDetailOutput(WalletOutput):
    """A wallet with its settings."""

    low_threshold = MoneyField(allow_null=True)
    draws_on_parent = serializers.BooleanField()
    draw_per_day = MoneyField(allow_null=True)
    draw_per_month = MoneyField(allow_null=True)
    created_at = serializers.DateTimeField()


class ReferenceOutput(serializers.Serializer):
    """What a transaction is about."""

    type = serializers.CharField(help_text="request, allocation, reclaim, paypal_capture, …")
    id = serializers.CharField()


class TransactionOutput(serializers.Serializer):
    """One ledger entry; ``amount`` is the signed change of the balance."""

    id = serializers.CharField(source="public_id")
    wallet = serializers.CharField(source="wallet.public_id")
    seq = serializers.IntegerField()
    type = serializers.ChoiceField(choices=Entry.Type.choices)
    amount = MoneyField()
    balance_after = MoneyField()
    reserved_after = MoneyField()
    reference = serializers.SerializerMethodField()
    actor = serializers.CharField()
    notes = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()

    @extend_schema_field(ReferenceOutput(allow_null=True))
    def get_reference(self, entry: Entry) -> dict[str, str] | None:
        """Type and id of what the entry is about."""
        requests: dict[UUID, str] = self.context.get("requests", {})
        return reference(entry, requests)


def requests_of(entries: Iterable[Entry]) -> dict[UUID, str]:
    """Reservation → request id for the entries of a page: one statement."""
    wanted = {entry.reservation for entry in entries if entry.reservation is not None}
    if not wanted:
        return {}
    rows = Reservation.objects.filter(pk__in=wanted).exclude(request_id="")
    return dict(rows.values_list("pk", "request_id"))


def reference(entry: Entry, requests: dict[UUID, str]) -> dict[str, str] | None:
    """What an entry is about: a request, a transfer, or something outside."""
    if entry.reservation is not None:
        request = requests.get(entry.reservation)
        if request:
            return {"type": "request", "id": request}
        return {"type": "reservation", "id": str(entry.reservation)}
    if entry.transfer is not None:
        return {"type": entry.reason or "allocation", "id": str(entry.transfer)}
    if entry.reference:
        *kind, id = entry.reference.split(":")
        return {"type": "_".join(kind) or "reference", "id": id}
    return None


def transactions(entries: list[Entry]) -> list[dict[str, Any]]:
    """The entries as the API shows them: one statement more."""
    output = TransactionOutput(entries, many=True, context={"requests": requests_of(entries)})
    shown: list[dict[str, Any]] = list(output.data)
    return shown
