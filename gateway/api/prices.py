"""Model prices: the newest version per model, and adding a version."""

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from gateway import pricing
from gateway.models import ModelPrice
from gateway.models.price import per_1k
from gateway.pricing.stored import MAIN_CLASSES
from keeptrusts.lib.rest.fields import MomentField
from wallets import permissions
from wallets.api.base import ORGANIZATION_ID, OrganizationInput, View
from wallets.models import Organization
from wallets.permissions import Action

SUFFIX = "_cost_per_1k_tokens"


@extend_schema_field(
    {
        "oneOf": [
            {"type": "number", "minimum": 0, "maximum": 1000},
            {"type": "string", "pattern": r"^\d{1,6}(\.\d{1,12})?$"},
        ],
        "description": "US dollars per 1,000 tokens, at most 12 decimals; 0 is a price.",
        "example": 0.00015,
    }
)
class RateInput(serializers.Field):
    """A price as it was sent; ``pricing.set_price`` checks it."""

    def to_internal_value(self, data: Any) -> Any:
        """The value untouched."""
        return data


@extend_schema_field({"type": "number", "example": 0.00015})
class RateField(serializers.Field):
    """A stored price as US dollars per 1,000 tokens."""

    def to_representation(self, value: int) -> Decimal:
        """Exact dollars."""
        return per_1k(int(value))


class PriceOutput(serializers.Serializer):
    """One version of the price of a model; US dollars per 1,000 tokens."""

    id = serializers.CharField(source="public_id")
    provider = serializers.CharField()
    model = serializers.CharField()
    input_cost_per_1k_tokens = RateField(source="input")
    output_cost_per_1k_tokens = RateField(source="output")
    cached_input_cost_per_1k_tokens = RateField(source="cached_input", allow_null=True)
    cache_write_cost_per_1k_tokens = RateField(source="cache_write", allow_null=True)
    classes = serializers.SerializerMethodField()
    tiers = serializers.SerializerMethodField()
    valid_from = serializers.DateTimeField()
    organization_id = serializers.SerializerMethodField(help_text="Null: the platform's price.")
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()

    @extend_schema_field({"type": "object", "additionalProperties": {"type": "number"}})
    def get_classes(self, price: ModelPrice) -> dict[str, Decimal]:
        """Prices of further token classes."""
        return _rates(price.further.get("classes", {}))

    @extend_schema_field({"type": "array", "items": {"type": "object"}})
    def get_tiers(self, price: ModelPrice) -> list[dict[str, Any]]:
        """Context tiers: prompts of more than ``start`` tokens pay these prices."""
        return [_tier(tier) for tier in price.further.get("tiers", [])]

    def get_organization_id(self, price: ModelPrice) -> str | None:
        """Whose own price it is."""
        organization: Organization | None = self.context.get("organization")
        return organization.public_id if organization and price.organization_id else None


def _rates(stored: dict[str, str]) -> dict[str, Decimal]:
    return {name: per_1k(int(value)) for name, value in stored.items()}


def _tier(stored: dict[str, Any]) -> dict[str, Any]:
    main = {name + SUFFIX: per_1k(int(stored[name])) for name in MAIN_CLASSES if name in stored}
    return {
        "start": int(stored["start"]), **main, "classes": _rates(stored.get("classes", {}))
    }  # fmt: skip


class PriceInput(OrganizationInput):
    """A new version of the price of a model."""

    provider = serializers.CharField(max_length=60)
    model = serializers.CharField(max_length=120)
    input_cost_per_1k_tokens = RateInput()
    output_cost_per_1k_tokens = RateInput()
    cached_input_cost_per_1k_tokens = RateInput(required=False, allow_null=True, default=None)
    cache_write_cost_per_1k_tokens = RateInput(required=False, allow_null=True, default=None)
    classes = serializers.DictField(child=RateInput(), required=False, default=dict)
    tiers = serializers.ListField(
        child=serializers.DictField(), required=False, default=list, max_length=10
    )
    valid_from = MomentField(
        required=False, allow_null=True, default=None, help_text="Default: now."
    )


class ModelPricing(View):
    """Prices of models."""

    @extend_schema(parameters=[OrganizationInput], responses=PriceOutput(many=True))
    def get(self, request: Request) -> Response:
        """The newest version per model, as a bare array."""
        query = self.query()
        organization = self._owner(query)
        if organization is not None:
            self.require(Action.PRICING_READ, organization)
        rows = pricing.current_prices(organization)
        output = PriceOutput(rows, many=True, context={"organization": organization})
        return Response(output.data)

    @extend_schema(request=PriceInput, responses={201: PriceOutput})
    def post(self, request: Request) -> Response:
        """Add a price version. Stored versions never change.

        Platform administrators set the platform's price; organisations that fund themselves may
        override it for themselves.
        """
        values = self.body(PriceInput)
        organization = self._owner(values)
        values.pop(ORGANIZATION_ID, None)
        if organization is None:
            permissions.require_platform(self.actor)
        else:
            self.require(Action.PRICING_WRITE, organization)
        price = pricing.set_price(
            **values,
            organization=organization,
            created_by=self.actor.public_id,
            address=self.address,
        )
        shown = PriceOutput(price, context={"organization": organization}).data
        return Response(shown, status=status.HTTP_201_CREATED)

    def _owner(self, values: dict[str, Any]) -> Organization | None:
        """Whose prices: the organisation of the call; None for the platform itself."""
        named = values.get(ORGANIZATION_ID) or self.request.query_params.get(ORGANIZATION_ID)
        if self.actor.platform and not named:
            return None
        return self.organization(values)
