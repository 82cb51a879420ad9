"""Model prices: what a provider charges for a model, version by version."""

from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import Q

from wallets.models import Organization
from wallets.models.base import public_id_field

MAX_PRICE = 1_000_000_000_000_000
"""Dearest price that can be stored: 1,000,000 USD per 1,000,000 tokens, in the unit below."""


def per_1k(units: int) -> Decimal:
    """Exact USD per 1,000 tokens of a stored price, without trailing zeros."""
    value = Decimal(units).scaleb(-12)
    return Decimal(f"{value.normalize():f}")


class PriceChanged(TypeError):
    """An attempt to change or delete a price version; a new price is a new row."""


class ModelPrice(models.Model):
    """One version of the price of a model at a provider, valid from an instant on.

    The newest version that has begun is in force; of two that begin together the later row wins.
    ``organization`` empty: the platform's price, for everybody. Else an override of that
    organisation, which counts only while its funding mode is internal.

    Unit of every price: whole **nano-dollars per 1,000,000 tokens**. That is exactly the twelve
    digits after the point which a price per 1,000 tokens may have. An empty ``cached_input`` or
    ``cache_write`` means the input price. A price of 0 is a price: the model is free.
    Rows are never updated or deleted: events point to them for ever.
    """

    public_id = public_id_field("prc")
    organization = models.ForeignKey(
        Organization, models.PROTECT, null=True, blank=True, related_name="model_prices"
    )
    provider = models.CharField(max_length=60)
    model = models.CharField(max_length=120)
    valid_from = models.DateTimeField()
    input = models.BigIntegerField()
    output = models.BigIntegerField()
    cached_input = models.BigIntegerField(null=True, blank=True)
    cache_write = models.BigIntegerField(null=True, blank=True)
    further = models.JSONField(
        default=dict,
        blank=True,
        help_text="Further classes and context tiers: integers as strings, same unit.",
    )
    created_by = models.CharField(max_length=40, help_text="Public id of a person or token.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["provider", "model", "-valid_from", "-id"]
        indexes = [
            models.Index(
                fields=["organization", "provider", "model", "-valid_from"], name="price_by_model"
            )
        ]
        constraints = [
            models.CheckConstraint(
                name="price_in_range",
                condition=Q(input__gte=0, input__lte=MAX_PRICE)
                & Q(output__gte=0, output__lte=MAX_PRICE),
            ),
            models.CheckConstraint(
                name="price_cache_in_range",
                condition=(
                    Q(cached_input__isnull=True)
                    | Q(cached_input__gte=0, cached_input__lte=MAX_PRICE)
                )
                & (Q(cache_write__isnull=True) | Q(cache_write__gte=0, cache_write__lte=MAX_PRICE)),
            ),
            models.CheckConstraint(
                name="price_names_a_model", condition=~Q(provider="") & ~Q(model="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.model} from {self.valid_from:%Y-%m-%d}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert this version; raises ``PriceChanged`` for one that is stored already."""
        if not self._state.adding:
            raise PriceChanged("a stored price is never changed: add a new version")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Always raises ``PriceChanged``."""
        raise PriceChanged("a stored price is never deleted: add a new version")

    @property
    def input_cost_per_1k_tokens(self) -> Decimal:
        """USD, exact."""
        return per_1k(self.input)

    @property
    def output_cost_per_1k_tokens(self) -> Decimal:
        """USD, exact."""
        return per_1k(self.output)

    @property
    def cached_input_cost_per_1k_tokens(self) -> Decimal | None:
        """USD, exact; None: the input price."""
        return None if self.cached_input is None else per_1k(self.cached_input)

    @property
    def cache_write_cost_per_1k_tokens(self) -> Decimal | None:
        """USD, exact; None: the input price."""
        return None if self.cache_write is None else per_1k(self.cache_write)
