"""What all tables of an organisation share: the tenant column and how it is filtered."""

from typing import Self, TypeVar

from django.db import models

from keeptrusts.lib import ids

M = TypeVar("M", bound=models.Model)


class TenantQuerySet(models.QuerySet[M]):
    """Rows of organisations. Every read on behalf of somebody starts with ``for_organization``."""

    def for_organization(self, organization: "models.Model | int") -> Self:
        """Only rows of one organisation (the instance or its primary key)."""
        return self.filter(organization=organization)


def public_id_field(prefix: str) -> "models.CharField[str, str]":
    """A unique, random public id column; the prefix names the kind of row."""
    return models.CharField(
        max_length=40, unique=True, editable=False, default=PublicIdDefault(prefix)
    )


class PublicIdDefault:
    """A default that migrations can write down: calls ``ids.public_id`` with its prefix."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def __call__(self) -> str:
        return ids.public_id(self.prefix)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicIdDefault) and other.prefix == self.prefix

    def __hash__(self) -> int:
        return hash(self.prefix)

    def deconstruct(self) -> tuple[str, tuple[str], dict[str, str]]:
        """How a migration writes this default."""
        return ("wallets.models.base.PublicIdDefault", (self.prefix,), {})
