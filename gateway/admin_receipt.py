"""What the page of a decision event shows of its receipt: names, formula, lines, ledger entries."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join

from gateway.models import DecisionEvent
from gateway.models.price import per_1k
from gateway.pricing import lines
from keeptrusts.lib import money
from wallets.admin import display
from wallets.models import ConsumerGroup, Entry, GatewayKey, Team, User

NAMED: dict[str, type[Model]] = {
    "team": Team,
    "user": User,
    "consumer_group": ConsumerGroup,
    "key": GatewayKey,
}
FOUND, ENTRIES = "_named", "_entries"
APART = ("lines", "history")
"""Details that have lines of their own, or are not for this page."""


def prepare(site: admin.AdminSite, request: HttpRequest, event: DecisionEvent) -> None:
    """Look up what the page names, each kind with one statement, as far as who asks may see it."""
    found = {}
    for name, model in NAMED.items():
        key = getattr(event, f"{name}_id")
        rows = site.get_model_admin(model).get_queryset(request)
        found[name] = rows.filter(pk=key).first() if key is not None else None
    setattr(event, FOUND, found)
    entries = site.get_model_admin(Entry).get_queryset(request)
    held = event.reservation
    kept = list(entries.filter(reservation=held).order_by("pk")) if held is not None else []
    setattr(event, ENTRIES, kept)


def _link(row: Model, text: object) -> str:
    meta = row._meta
    address = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])
    return format_html('<a href="{}">{}</a>', address, text)


def _named(name: str, label: str) -> Any:
    @admin.display(description=label)
    def shown(event: DecisionEvent) -> str:
        row = getattr(event, FOUND, {}).get(name)
        if row is not None:
            return _link(row, row)
        if name == "consumer_group" and event.consumer_group_name:
            return event.consumer_group_name
        key = getattr(event, f"{name}_id")
        return display.NOTHING if key is None else f"no longer here ({key})"

    shown.__name__ = f"{name}_named"
    return shown


@admin.display(description="wallet")
def wallet(event: DecisionEvent) -> str:
    """Who paid."""
    return _link(event.wallet, event.wallet) if event.wallet else display.NOTHING


@admin.display(description="time")
def time(event: DecisionEvent) -> str:
    """To the second, with its zone."""
    return f"{timezone.localtime(event.created_at):%Y-%m-%d %H:%M:%S %Z}"


def _rows(rows: Iterable[str]) -> str:
    return format_html_join("", "<div>{}</div>", ((row,) for row in rows)) or display.NOTHING


@admin.display(description="tokens by class")
def tokens(event: DecisionEvent) -> str:
    """Each class with its rate and what it came to; without a price, the bare numbers."""
    found = lines.read((event.details or {}).get("lines"))
    if not found:
        usage = (event.usage or {}).items()
        return _rows(f"{_words(name)}: {number:,}" for name, number in usage if number)
    return _rows(
        f"{_words(line.name)}: {line.tokens:,} × ${per_1k(line.rate):f} / 1K" for line in found
    )


@admin.display(description="formula")
def formula(event: DecisionEvent) -> str:
    """As a person would write it down; rounded up once, to a whole nano-dollar."""
    found = lines.read((event.details or {}).get("lines"))
    if not found:
        return display.NOTHING
    parts = " + ".join(f"{line.tokens} × {per_1k(line.rate):f} / 1000" for line in found)
    return f"{parts} = ${money.token(lines.total(found))}"


@admin.display(description="ledger entries")
def entries(event: DecisionEvent) -> str:
    """What was booked for it."""
    return _rows(
        format_html(
            "{}: {}, balance {} ({})",
            _link(entry, entry.get_type_display()),
            display.dollars(entry.amount),
            display.dollars(entry.balance_after),
            entry.wallet,
        )
        for entry in getattr(event, ENTRIES, ())
    )


@admin.display(description="attempts")
def attempts(event: DecisionEvent) -> str:
    """One line for each target that was tried."""
    return _rows(_facts(attempt) for attempt in event.attempts or ())


@admin.display(description="flags")
def flags(event: DecisionEvent) -> str:
    """In words."""
    return ", ".join(_words(flag) for flag in event.flags or ()) or display.NOTHING


@admin.display(description="tags")
def tags(event: DecisionEvent) -> str:
    """Name and value."""
    return _facts(event.tags or {}, joint="=") or display.NOTHING


@admin.display(description="details")
def details(event: DecisionEvent) -> str:
    """Waits, moved holds, filters: one a line."""
    found = (event.details or {}).items()
    return _rows(f"{_words(name)}: {_value(value)}" for name, value in found if name not in APART)


def _facts(facts: dict[str, Any], joint: str = " ") -> str:
    return ", ".join(f"{name}{joint}{_value(value)}" for name, value in facts.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return _facts(value)
    return ", ".join(map(_value, value)) if isinstance(value, list) else str(value)


def _words(name: str) -> str:
    return name.removesuffix("_tokens").replace("_", " ")


FIELDSETS: Any = (
    (
        None,
        {
            "fields": (
                *(time, "id", "verdict", "reason_code", "status", "organization"),
                *(_named("team", "team"), _named("user", "person")),
                *(_named("consumer_group", "consumer group"), _named("key", "key")),
                *("provider", "target", "model", "route", "streamed"),
            )
        },
    ),
    (
        "What it cost",
        {
            "fields": (
                *(wallet, display.column("cost"), tokens, formula, display.column("hold")),
                *(display.column("written_off"), display.column("estimated_avoided_cost")),
                *("price_version", entries),
            )
        },
    ),
    (
        "How it went",
        {
            "fields": (
                *("latency_ms", "ttfb_ms", "cache", attempts, flags, tags, details),
                *("config_version", "reservation", "end_user"),
            )
        },
    ),
)
