"""The receipt of one request: enough to recompute its cost by hand."""

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api import names
from gateway.api.events import EventOutput, find
from gateway.api.texts import texts_until
from gateway.models import DecisionEvent
from gateway.models.price import per_1k
from gateway.pricing import lines
from gateway.pricing.lines import Line
from keeptrusts.lib import money
from keeptrusts.lib.rest.fields import MoneyField
from wallets.api.base import OrganizationInput, View
from wallets.api.outputs import TransactionOutput, requests_of
from wallets.models import Entry, Reservation
from wallets.permissions import Action


@extend_schema_field({"type": "number", "example": 0.0000171, "description": "Exact US dollars."})
class ExactField(serializers.Field):
    """Nano-dollars times 1,000,000 shown as a number of dollars, all digits."""

    def to_representation(self, value: int) -> Decimal:
        """Exact dollars."""
        return Decimal(value).scaleb(-15).normalize()


@extend_schema_field({"type": "number", "example": 0.00015, "description": "Exact US dollars."})
class RateField(serializers.Field):
    """A stored price shown as US dollars per 1,000 tokens."""

    def to_representation(self, value: int) -> Decimal:
        """Exact dollars."""
        return per_1k(value)


class LineOutput(serializers.Serializer):
    """Tokens of one class, and what they came to."""

    token_class = serializers.CharField(source="name")
    tokens = serializers.IntegerField()
    usd_per_1k_tokens = RateField(source="rate")
    cost = ExactField(help_text="Tokens times rate, not rounded.")


class CalculationOutput(serializers.Serializer):
    """The lines, their sum, and the one rounding at the end."""

    lines = LineOutput(many=True)
    sum = ExactField(help_text="Before it is rounded.")
    rounding = serializers.CharField()
    formula = serializers.CharField()

    def to_representation(self, found: list[Line]) -> dict[str, Any]:
        """``formula`` reads like a person would write it down."""
        parts = [f"{line.tokens} x {per_1k(line.rate):f} / 1000" for line in found]
        total = money.token(lines.total(found))
        return {
            "lines": LineOutput(found, many=True).data,
            "sum": self.fields["sum"].to_representation(sum(line.cost for line in found)),
            "rounding": "up, to a whole nano-dollar",
            "formula": f"{' + '.join(parts)} = {total}",
        }


class ChargeOutput(serializers.Serializer):
    """What the ledger has of a request."""

    state = serializers.ChoiceField(choices=Reservation.State.choices)
    held = MoneyField(source="amount")
    charged = MoneyField()
    written_off = MoneyField()
    adjusted = MoneyField(help_text="Sum of corrections; money given back is negative.")
    closed_at = serializers.DateTimeField(allow_null=True)


class ConversationOutput(serializers.Serializer):
    """Facts of what was asked and answered, where the policy file has them kept."""

    request = serializers.DictField(
        help_text="Messages and items by role, characters of the prompt, names of offered tools."
    )
    answer = serializers.DictField(
        required=False,
        help_text="Its id and characters, why it ended, names of called tools; of one over "
        "512 KiB its bytes. Absent where there was none.",
    )
    texts_until = serializers.DateTimeField(
        allow_null=True, help_text="So long `/texts` shows the texts to you; null: it does not."
    )


APART = ("lines", "history")
"""Details that are shown apart."""
AMOUNTS = ("hold", "missing", "not_charged")
"""Details that are kept as exact decimal texts."""


def with_amounts(details: dict[str, Any]) -> dict[str, Any]:
    """The same with amounts as exact numbers, those of a shadow verdict too."""
    found = dict(details)
    for name in AMOUNTS:
        if isinstance(found.get(name), str):
            found[name] = Decimal(found[name])
    if isinstance(found.get("shadow"), dict):
        found["shadow"] = with_amounts(found["shadow"])
    return found


class ReceiptOutput(EventOutput):
    """An event with its charge, as the ledger has it."""

    key_id = serializers.SerializerMethodField()
    status = serializers.IntegerField(help_text="HTTP status the client got.")
    streamed = serializers.BooleanField()
    target = serializers.CharField(allow_blank=True)
    attempts = serializers.ListField(child=serializers.JSONField())
    calculation = serializers.SerializerMethodField()
    charge = serializers.SerializerMethodField()
    details = serializers.SerializerMethodField()
    history = serializers.SerializerMethodField()
    transactions = serializers.SerializerMethodField()

    def get_key_id(self, event: DecisionEvent) -> str | None:
        """The key it came with."""
        return self._names().keys.get(event.key_id or 0)

    @extend_schema_field(CalculationOutput(allow_null=True))
    def get_calculation(self, event: DecisionEvent) -> Any:
        """How the cost came about: every line can be checked by hand."""
        found = lines.read((event.details or {}).get("lines"))
        return CalculationOutput(found).data if found else None

    @extend_schema_field(serializers.DictField())
    def get_details(self, event: DecisionEvent) -> dict[str, Any]:
        """Waits, moved holds, filters, what happened when the client left, shadow verdicts."""
        details = event.details or {}
        return with_amounts({name: details[name] for name in details if name not in APART})

    @extend_schema_field(ConversationOutput(allow_null=True))
    def get_history(self, event: DecisionEvent) -> Any:
        """What is kept of its texts."""
        facts = (event.details or {}).get("history")
        if facts is None:
            return None
        return {**facts, "texts_until": self.context["texts_until"]}

    @extend_schema_field(ChargeOutput(allow_null=True))
    def get_charge(self, event: DecisionEvent) -> Any:
        """What was charged, and how it was corrected since."""
        reservation = self.context["reservation"]
        return ChargeOutput(reservation).data if reservation else None

    @extend_schema_field(TransactionOutput(many=True))
    def get_transactions(self, event: DecisionEvent) -> Any:
        """The ledger entries of the request."""
        entries = self.context["entries"]
        context = {"requests": self.context["requests"]}
        return TransactionOutput(entries, many=True, context=context).data


class Receipt(View):
    """One request in full."""

    @extend_schema(parameters=[OrganizationInput], responses=ReceiptOutput)
    def get(self, request: Request, event_id: str) -> Response:
        """The receipt of a request: its event, its charge and its ledger entries."""
        organization = self.organization(self.query())
        event = find(self.actor, organization, event_id, Action.EVENTS_READ)
        entries: list[Entry] = []
        reservation = None
        if event.reservation is not None:
            reservation = Reservation.objects.filter(pk=event.reservation).first()
            rows = Entry.objects.filter(reservation=event.reservation, organization=organization)
            entries = list(rows.select_related("wallet").order_by("id"))
        context = {
            "names": names.of([event]), "reservation": reservation, "entries": entries,
            "requests": requests_of(entries), "texts_until": texts_until(self.actor, event),
        }  # fmt: skip
        return Response(ReceiptOutput(event, context=context).data)
