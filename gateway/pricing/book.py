"""All prices at hand: what the gateway keeps in memory and asks once per request."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Self

from gateway.models.price import ModelPrice
from gateway.pricing import catalogue
from gateway.pricing.rates import Rates
from gateway.pricing.stored import rates_of
from wallets.models import Organization


class Priced(NamedTuple):
    """A price and the version of it that events record."""

    rates: Rates
    version: str

    @property
    def from_catalogue(self) -> bool:
        """Whether nobody here has set it."""
        return self.version.startswith(catalogue.LABEL)


@dataclass(frozen=True, slots=True)
class _Version:
    valid_from: datetime
    priced: Priced


_Key = tuple[int | None, str, str]


class PriceBook:
    """Answers what a model costs for an organisation at an instant. Never changes; build a new one.

    Order: the organisation's own price (funding mode internal only), the platform's, the
    catalogue's. Names are compared without regard to case; a dated name that has no price of its
    own takes the price set for the name the catalogue knows it by.
    """

    def __init__(self, versions: dict[_Key, list[_Version]]) -> None:
        self._versions = versions

    @classmethod
    def build(
        cls, rows: Iterable[ModelPrice], *, internal_organizations: Collection[int] = ()
    ) -> Self:
        """From price rows in any order; overrides of organisations not named are left out."""
        versions: dict[_Key, list[_Version]] = {}
        for row in sorted(rows, key=lambda row: (row.valid_from, row.pk or 0), reverse=True):
            owner = row.organization_id
            if owner is None or owner in internal_organizations:
                key = (owner, row.provider.lower(), row.model.lower())
                priced = Priced(rates_of(row), row.public_id)
                versions.setdefault(key, []).append(_Version(row.valid_from, priced))
        return cls(versions)

    @classmethod
    def load(cls) -> Self:
        """From the database, in two queries."""
        internal = Organization.objects.filter(
            funding_mode=Organization.FundingMode.INTERNAL
        ).values_list("pk", flat=True)
        return cls.build(ModelPrice.objects.all(), internal_organizations=set(internal))

    def rates(
        self, organization_id: int | None, provider: str, model: str, at: datetime
    ) -> Priced | None:
        """The price in force at ``at`` (aware), or None where nobody has set one."""
        provider, model = provider.lower(), model.lower()
        names = [model]
        if (known := catalogue.canonical(provider, model)) not in (None, model):
            names.append(str(known).lower())
        owners = (None,) if organization_id is None else (organization_id, None)
        for owner in owners:
            for name in names:
                if found := self._in_force((owner, provider, name), at):
                    return found
        listed = catalogue.rates(provider, model, at)
        return Priced(listed, catalogue.label()) if listed is not None else None

    def _in_force(self, key: _Key, at: datetime) -> Priced | None:
        for version in self._versions.get(key, ()):
            if version.valid_from <= at:
                return version.priced
        return None
