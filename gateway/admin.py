"""The Django admin of decision events and model prices."""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone

from gateway import admin_machinery as admin_machinery
from gateway import admin_receipt, pricing
from gateway.cache import purging
from gateway.models import CacheGeneration, DecisionEvent, ModelPrice
from gateway.models.price import per_1k
from gateway.pricing.amounts import units
from gateway.pricing.stored import MAIN_CLASSES
from gateway.pricing.versions import SUFFIX
from keeptrusts.lib import money
from wallets.admin import display
from wallets.admin.base import TenantAdmin
from wallets.admin.export import export_csv
from wallets.admin.ledger import WALLET
from wallets.admin.operation import Call, CallForm, Line, Operation
from wallets.admin.people import OrganizationAdmin
from wallets.models import Organization
from wallets.permissions import Action, staffed
from wallets.tenancy import Actor

SHORT_ID = 11


@admin.register(DecisionEvent)
class DecisionEventAdmin(TenantAdmin):
    """What the gateway decided about each request, and what it cost."""

    view_action = Action.EVENTS_READ
    ordering = ("-created_at",)
    list_display = (
        # The column that leads on comes first: a narrow window cuts the last ones off.
        *("request", display.time("created_at", "time")),
        *("consumer_group", "model", "verdict"),
        display.column("cost"),
        *("tokens", "reason_code", "wallet", "organization"),
    )
    list_display_links = ("request",)
    list_filter = ("verdict", "organization", "provider")
    list_select_related = ("organization", *WALLET)
    search_fields = ("=id", "=model", "=consumer_group_name", "=reason_code")
    search_help_text = "A whole request id, model, consumer group or reason."
    date_hierarchy = "created_at"
    sortable_by = ()
    actions = (export_csv,)
    fieldsets: ClassVar[Any] = admin_receipt.FIELDSETS

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> DecisionEvent | None:
        """One event with what its page names."""
        event: DecisionEvent | None = super().get_object(request, object_id, from_field)
        if event is not None:
            admin_receipt.prepare(self.admin_site, request, event)
        return event

    @admin.display(description="consumer group")
    def consumer_group(self, event: DecisionEvent) -> str:
        """Its name when it asked."""
        return event.consumer_group_name or display.NOTHING

    @admin.display(description="tokens in / out")
    def tokens(self, event: DecisionEvent) -> str:
        """Of the prompt and of the completion."""
        return f"{event.prompt_tokens:,} / {event.completion_tokens:,}"

    @admin.display(description="request")
    def request(self, event: DecisionEvent) -> str:
        """The beginning of the id; its page has all of it."""
        return event.id if len(event.id) <= SHORT_ID else f"{event.id[:SHORT_ID]}…"

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
    input_cost_per_1k_tokens = forms.CharField(
        max_length=24, help_text="US dollars, for example 0.00015."
    )
    output_cost_per_1k_tokens = forms.CharField(
        max_length=24, help_text="US dollars, for example 0.00015."
    )
    cached_input_cost_per_1k_tokens = forms.CharField(
        max_length=24, required=False, help_text="US dollars. Empty: the input price."
    )
    cache_write_cost_per_1k_tokens = forms.CharField(
        max_length=24, required=False, help_text="US dollars. Empty: the input price."
    )
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
        """The version in force then, and the new one."""
        values = call.values
        then = values["valid_from"] or timezone.now()
        same = ModelPrice.objects.filter(
            **{name: values[name] for name in ("organization", "provider", "model")}
        )
        before = same.filter(valid_from__lte=then).order_by("valid_from", "id").last()
        return [
            Line("Model", None, f"{values['provider']} {values['model']}"),
            Line("For", None, values["organization"] or "everybody"),
            *(self._line(name, before, values[name + SUFFIX]) for name in MAIN_CLASSES),
            Line("Valid from", before and before.valid_from, values["valid_from"] or "now"),
        ]

    def _line(self, name: str, before: ModelPrice | None, price: str) -> Line:
        after = units(price, name + SUFFIX) if price else None
        was = None if before is None else _price(getattr(before, name))
        return Line(f"{LABELS[name]} per 1K tokens", was, _price(after))

    def run(self, call: Call) -> str:
        """Set."""
        values: dict[str, Any] = {name: value or None for name, value in call.values.items()}
        price = pricing.set_price(created_by=call.actor.public_id, **values)
        return f"Set the price of {price}."


LABELS = {
    "input": "Input",
    "output": "Output",
    "cached_input": "Cached input",
    "cache_write": "Cache write",
}


def _price(value: int | None) -> str:
    """US dollars per 1,000 tokens; the classes of the cache cost the input price by default."""
    return "as input" if value is None else f"${per_1k(value):f}"


def _per_1k(name: str) -> Callable[[ModelPrice], str]:
    """A column that shows a price as US dollars per 1,000 tokens."""

    @admin.display(description=f"{LABELS[name].lower()} / 1K tokens", ordering=name)
    def shown(row: ModelPrice) -> str:
        return _price(getattr(row, name))

    shown.__name__ = f"{name}_dollars"
    return shown


@admin.register(ModelPrice)
class ModelPriceAdmin(TenantAdmin):
    """Price versions: the platform's, and overrides of organisations."""

    view_action = Action.PRICING_READ
    shared = True
    list_display = (
        *("model", "provider"),
        *(_per_1k(name) for name in MAIN_CLASSES),
        *("valid_from", "organization"),
    )
    people = ("created_by",)
    list_filter = ("provider", "organization")
    list_select_related = ("organization",)
    search_fields = ("model", "provider", "=public_id")
    date_hierarchy = "valid_from"
    operations = (SetPrice,)

    def shown(self, name: str) -> Any:
        """Prices in dollars per 1,000 tokens."""
        if name == "further":
            return _further
        return _per_1k(name) if name in MAIN_CLASSES else super().shown(name)


@admin.display(description="further prices / 1K tokens")
def _further(row: ModelPrice) -> str:
    """Further classes and context tiers, one a line."""
    return "; ".join(_further_lines(row.further)) or display.NOTHING


def _further_lines(stored: Any) -> Iterator[str]:
    for name, price in stored.get("classes", {}).items():
        yield f"{name.replace('_', ' ')} {_price(int(price))}"
    for tier in stored.get("tiers", ()):
        prices = [f"{LABELS[n].lower()} {_price(int(tier[n]))}" for n in MAIN_CLASSES if n in tier]
        more = ", ".join([*prices, *_further_lines({"classes": tier.get("classes", {})})])
        yield f"prompts over {int(tier['start']):,} tokens: {more}"


class PurgeCache(Operation):
    """Nothing that is kept now is answered again."""

    slug, label, action = "purge-cache", "Purge response cache", Action.CACHE_PURGE

    def lines(self, call: Call) -> list[Line]:
        """The generation of what is kept."""
        number = CacheGeneration.of(call.row.pk)
        return [Line("Generation of kept answers", number, number + 1)]

    def run(self, call: Call) -> str:
        """Purge."""
        purging.purge(actor=call.actor, organization=call.row)
        return "Purged the response cache."


# The page of an organisation offers what this app can do to it.
OrganizationAdmin.operations = (*OrganizationAdmin.operations, PurgeCache)


@admin.register(CacheGeneration)
class CacheGenerationAdmin(TenantAdmin):
    """Which organisations purged their response cache, and when; purged from the organisation."""

    list_display = ("organization", "number", "purged_at")
    list_select_related = ("organization",)
    list_filter = ("organization",)
