"""Operations on stored prices: add a version, list those in force."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from gateway.models.price import ModelPrice, per_1k
from gateway.pricing.amounts import InvalidPrice, units
from gateway.pricing.stored import FURTHER_CLASSES, MAIN_CLASSES
from keeptrusts.lib.money import fixed
from wallets import audit, revisions
from wallets.errors import Forbidden
from wallets.models import Organization

MAX_TIERS = 10
MAX_START = 10_000_000
SUFFIX = "_cost_per_1k_tokens"


def set_price(
    *,
    provider: str,
    model: str,
    input_cost_per_1k_tokens: Any,
    output_cost_per_1k_tokens: Any,
    cached_input_cost_per_1k_tokens: Any = None,
    cache_write_cost_per_1k_tokens: Any = None,
    classes: Mapping[str, Any] | None = None,
    tiers: Sequence[Mapping[str, Any]] = (),
    organization: Organization | None = None,
    valid_from: datetime | None = None,
    created_by: str,
    address: str | None = None,
) -> ModelPrice:
    """Add a price version and return it; nothing stored is changed.

    Prices in USD per 1,000 tokens, exact (see ``amounts.units``); ``classes`` maps names of
    ``FURTHER_CLASSES`` to prices; ``tiers`` are mappings with ``start`` (prompts of more tokens pay
    the tier) and the same four prices and ``classes``. ``organization`` empty: the platform's
    price. ``valid_from`` defaults to now. ``created_by`` is the public id of who sets it,
    ``address`` the network address it came from, for the audit log.

    Raises ``InvalidPrice`` (names the field) and, for an organisation that is not of funding mode
    internal, ``Forbidden``.
    """
    if organization and organization.funding_mode != Organization.FundingMode.INTERNAL:
        raise Forbidden("only organisations of funding mode internal may set their own prices")
    row = ModelPrice(
        organization=organization,
        provider=_name(provider, "provider", 60),
        model=_name(model, "model", 120),
        valid_from=_instant(valid_from),
        input=units(input_cost_per_1k_tokens, "input" + SUFFIX),
        output=units(output_cost_per_1k_tokens, "output" + SUFFIX),
        cached_input=_optional(cached_input_cost_per_1k_tokens, "cached_input" + SUFFIX),
        cache_write=_optional(cache_write_cost_per_1k_tokens, "cache_write" + SUFFIX),
        further=_further(classes, tiers),
        created_by=created_by,
    )
    with transaction.atomic():
        before = _in_force(row)
        row.save()
        _record(row, before, address)
        revisions.bump()
    return row


def current_prices(organization: Organization | None = None) -> list[ModelPrice]:
    """The newest version per model that has begun, by provider and model.

    The platform's, and with an organisation of funding mode internal its own in place of them.
    """
    owners = Q(organization=None)
    if organization and organization.funding_mode == Organization.FundingMode.INTERNAL:
        owners |= Q(organization=organization)
    rows = ModelPrice.objects.filter(owners, valid_from__lte=timezone.now()).order_by(
        "valid_from", "id"
    )
    newest: dict[tuple[str, str], ModelPrice] = {}
    for row in sorted(rows, key=lambda row: row.organization_id is not None):
        newest[row.provider.lower(), row.model.lower()] = row
    return [newest[key] for key in sorted(newest)]


def _in_force(row: ModelPrice) -> ModelPrice | None:
    """The version that ``row`` takes the place of."""
    same = ModelPrice.objects.filter(
        organization=row.organization, provider=row.provider, model=row.model
    )
    return same.filter(valid_from__lte=row.valid_from).order_by("valid_from", "id").last()


def _record(row: ModelPrice, before: ModelPrice | None, address: str | None) -> None:
    audit.record(
        organization=row.organization,
        actor=row.created_by,
        action="price.set",
        target=row.public_id,
        before=_facts(before) if before else None,
        after=_facts(row),
        address=address,
    )


def _facts(row: ModelPrice) -> dict[str, Any]:
    """What an auditor sees of a version; prices in USD per 1,000 tokens."""
    shown = {name: getattr(row, name) for name in MAIN_CLASSES}
    prices = {name: fixed(per_1k(price)) for name, price in shown.items() if price is not None}
    known = {"provider": row.provider, "model": row.model, "valid_from": row.valid_from}
    return known | prices | ({"further": row.further} if row.further else {})


def _name(value: Any, field: str, longest: int) -> str:
    usable = isinstance(value, str) and 0 < len(value) <= longest and value == value.strip()
    if not usable or not value.isprintable():
        raise InvalidPrice(field, f"must be a name of 1 to {longest} characters")
    return str(value)


def _instant(value: datetime | None) -> datetime:
    if value is None:
        return timezone.now()
    if not isinstance(value, datetime) or timezone.is_naive(value):
        raise InvalidPrice("valid_from", "must be a date and time with a time zone")
    return value


def _optional(value: Any, field: str) -> int | None:
    return None if value is None else units(value, field)


def _further(
    classes: Mapping[str, Any] | None, tiers: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    stored: dict[str, Any] = {}
    if classes:
        stored["classes"] = _classes(classes, "classes")
    if tiers:
        stored["tiers"] = _tiers(tiers)
    return stored


def _classes(given: Any, field: str) -> dict[str, str]:
    if not isinstance(given, Mapping):
        raise InvalidPrice(field, "must map class names to prices")
    for name in given:
        if name not in FURTHER_CLASSES:
            known = ", ".join(FURTHER_CLASSES)
            raise InvalidPrice(f"{field}.{name}", f"is no token class; known: {known}")
    return {name: str(units(price, f"{field}.{name}")) for name, price in given.items()}


def _tiers(given: Any) -> list[dict[str, Any]]:
    if isinstance(given, str | Mapping) or not isinstance(given, Sequence):
        raise InvalidPrice("tiers", "must be a list")
    if len(given) > MAX_TIERS:
        raise InvalidPrice("tiers", f"must be at most {MAX_TIERS}")
    stored = [_tier(tier, f"tiers.{index}") for index, tier in enumerate(given)]
    starts = [int(tier["start"]) for tier in stored]
    if starts != sorted(set(starts)):
        raise InvalidPrice("tiers", "must rise by start and not repeat one")
    return stored


def _tier(given: Any, field: str) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise InvalidPrice(field, "must have start and prices")
    start = given.get("start")
    if type(start) is not int or not 0 <= start <= MAX_START:
        raise InvalidPrice(f"{field}.start", f"must be a whole number from 0 to {MAX_START}")
    stored: dict[str, Any] = {"start": str(start)}
    for name in MAIN_CLASSES:
        price = given.get(name + SUFFIX)
        if price is not None or name in ("input", "output"):
            stored[name] = str(units(price, f"{field}.{name}{SUFFIX}"))
    known = {"start", "classes", *(name + SUFFIX for name in MAIN_CLASSES)}
    for name in given:
        if name not in known:
            raise InvalidPrice(f"{field}.{name}", "is unknown here")
    if given.get("classes"):
        stored["classes"] = _classes(given["classes"], f"{field}.classes")
    return stored
