"""The audit log: who changed what, from what to what, from where. Append-only, opaque ids only."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Model

from wallets.models import AuditRecord, Organization

Facts = Mapping[str, Any]

TARGET_LENGTH = 200

_address: ContextVar[str | None] = ContextVar("address of the caller", default=None)


@contextmanager
def calling_from(address: str | None) -> Iterator[None]:
    """Changes inside are written down as made from ``address``, unless they say otherwise.

    For entrances that know it; operations need not hand it on.
    """
    token = _address.set(address)
    try:
        yield
    finally:
        _address.reset(token)


def record(
    *,
    organization: Organization | int | None,
    actor: str,
    action: str,
    target: str,
    before: Facts | None = None,
    after: Facts | None = None,
    address: str | None = None,
) -> AuditRecord:
    """Write down one change, inside the transaction that makes it.

    ``actor`` and ``target`` are public ids; ``action`` is ``noun.verb``. ``before`` and ``after``
    hold what changed: amounts as fixed-point dollars (``money.token``), never names of people or
    e-mail addresses.
    """
    return AuditRecord.objects.create(
        organization_id=organization.pk if isinstance(organization, Organization) else organization,
        actor=actor,
        action=action,
        target=target[:TARGET_LENGTH],
        before=_plain(before),
        after=_plain(after),
        address=address or _address.get(),
    )


def facts(row: Model, fields: Iterable[str]) -> dict[str, Any]:
    """The values of some fields of a row, as ``before`` and ``after`` want them."""
    return {name: getattr(row, name) for name in fields}


def _plain(value: Any) -> Any:
    """The same facts as JSON has them; what JSON does not know becomes text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    # Choices are strings with a class of their own.
    return str(value) if isinstance(value, str) else value
