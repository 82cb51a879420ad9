"""The Django admin of decision events and model prices."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin

from gateway import pricing
from gateway.models import DecisionEvent, ModelPrice
from gateway.models.price import per_1k
from keeptrusts.lib import money
from wallets.admin import display
from wallets.admin.base import TenantAdmin
from wallets.admin.export import export_csv
from wallets.admin.ledger import WALLET
from wallets.admin.operation import Call, CallForm, Line, Operation
from wallets.models import Organization
from wallets.permissions import Action, staffed
from wallets.tenancy import Actor


@admin.register(DecisionEvent)
class DecisionEventAdmin(TenantAdmin):
    """What the gateway decided about each request, and what it cost."""

    view_action = Action.EVENTS_READ
    ordering = ("-created_at",)
    list_display = (
        *("created_at", "id", "organization", "consumer_group_name", "model", "verdict"),
        "reason_code",
        display.column("cost"),
        *("prompt_tokens", "completion_tokens", "latency_ms", "wallet"),
    )
    list_display_links = ("id",)
    list_filter = ("verdict", "organization", "provider")
    list_select_related = ("organization", *WALLET)
    search_fields = ("=id", "=model", "=consumer_group_name", "=reason_code")
    search_help_text = "A whole request id, model, consumer group or reason."
    date_hierarchy = "created_at"
    sortable_by = ()
    actions = (export_csv,)
    money = ("cost", "hold", "written_off", "estimated_avoided_cost")
    export_columns = (
        ("time", lambda row: row.created_at.isoformat()),
        ("id", lambda row: row.id),
        ("consumer_group", lambda row: row.consumer_group_name),
        ("provider", lambda row: row.provider),
        ("model", lambda row: row.model),
        ("route", lambda row: row.route),
        ("verdict", lambda row: row.verdict),
        ("reason_code", lambda row: row.reason_code),
        ("prompt_tokens", lambda row: row.prompt_tokens),
        ("completion_tokens", lambda row: row.completion_tokens),
        ("cost", lambda row: "" if row.cost is None else money.token(row.cost)),
        ("wallet", lambda row: row.wallet.public_id if row.wallet else ""),
        ("latency_ms", lambda row: row.latency_ms),
    )


class PriceForm(CallForm):
    """A new version of a price, in US dollars per 1,000 tokens."""

    organization = forms.ModelChoiceField(
        queryset=Organization.objects.none(), required=False, empty_label="Everybody"
    )
    provider = forms.CharField(max_length=60)
    model = forms.CharField(max_length=120)
    input_cost_per_1k_tokens = forms.CharField(max_length=24)
    output_cost_per_1k_tokens = forms.CharField(max_length=24)
    cached_input_cost_per_1k_tokens = forms.CharField(max_length=24, required=False)
    cache_write_cost_per_1k_tokens = forms.CharField(max_length=24, required=False)
    valid_from = forms.DateTimeField(required=False, help_text="Empty: now.")

    def prepare(self) -> None:
        """Organisations price for themselves only while they fund themselves."""
        actor = self.call.actor
        rows = Organization.objects.filter(funding_mode=Organization.FundingMode.INTERNAL)
        field: Any = self.fields["organization"]
        if not actor.platform:
            rows = rows.filter(pk__in=staffed(actor, Action.PRICING_WRITE))
            field.required, field.empty_label = True, None
        field.queryset = rows


class SetPrice(Operation):
    """A new price version; old ones stay."""

    slug, label, action = "set-price", "Set a price", Action.PRICING_WRITE
    form, on_row = PriceForm, False

    def allowed(self, actor: Actor, row: Any) -> bool:
        """The platform, and admins of organisations that fund themselves."""
        mine = staffed(actor, self.action)
        funded = Organization.objects.filter(
            pk__in=mine, funding_mode=Organization.FundingMode.INTERNAL
        )
        return actor.platform or (bool(mine) and funded.exists())

    def lines(self, call: Call) -> list[Line]:
        """The prices of the new version."""
        return [
            Line(name.replace("_", " ").capitalize(), None, value)
            for name, value in call.values.items()
        ]

    def run(self, call: Call) -> str:
        """Set."""
        values: dict[str, Any] = {name: value or None for name, value in call.values.items()}
        price = pricing.set_price(created_by=call.actor.public_id, **values)
        return f"Set the price of {price}."


def _per_1k(name: str) -> Callable[[ModelPrice], str]:
    """A column that shows a price as US dollars per 1,000 tokens."""

    @admin.display(description=f"{name.replace('_', ' ')} / 1K tokens", ordering=name)
    def shown(row: ModelPrice) -> str:
        value = getattr(row, name)
        return display.NOTHING if value is None else f"${per_1k(value):f}"

    shown.__name__ = f"{name}_dollars"
    return shown


@admin.register(ModelPrice)
class ModelPriceAdmin(TenantAdmin):
    """Price versions: the platform's, and overrides of organisations."""

    view_action = Action.PRICING_READ
    shared = True
    list_display = (
        *("model", "provider", "organization", "valid_from"),
        *(_per_1k(name) for name in ("input", "output", "cached_input", "cache_write")),
    )
    list_filter = ("provider", "organization")
    list_select_related = ("organization",)
    search_fields = ("model", "provider", "=public_id")
    date_hierarchy = "valid_from"
    operations = (SetPrice,)
