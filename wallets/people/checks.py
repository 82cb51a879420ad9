"""Checks of input that several operations share, and the one way they write a change down."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.db import IntegrityError, transaction
from django.db.models import Model

from keeptrusts.lib import money
from wallets import audit, revisions
from wallets.errors import Conflict, InvalidInput
from wallets.models import Organization
from wallets.models.people import SLUG
from wallets.tenancy import Actor

NAME_LENGTH = 200


class Unchanged:
    """The default of a setting that a call leaves as it is."""


UNCHANGED = Unchanged()


def slug(value: str) -> str:
    """A slug, or InvalidInput ``slug``."""
    if not re.fullmatch(SLUG, value):
        raise InvalidInput(
            "slug", "must be 1 to 63 of a-z, 0-9 and hyphen, and start with a letter or digit."
        )
    return value


def name(value: str, *, field: str = "name", most: int = NAME_LENGTH) -> str:
    """A name without surrounding blanks, or InvalidInput."""
    value = value.strip()
    if not 0 < len(value) <= most:
        raise InvalidInput(field, f"must have 1 to {most} characters.")
    return value


def time_zone(value: str) -> str:
    """A zone of the IANA database, or InvalidInput ``time_zone``."""
    # The file system is asked only for names that are in the list: no paths from outside.
    if value not in available_timezones():
        raise InvalidInput("time_zone", "must be an IANA name such as Europe/Berlin or UTC.")
    return ZoneInfo(value).key


def choice(value: str, choices: type[Any], *, field: str) -> str:
    """One of a model's choices, or InvalidInput."""
    if value not in choices.values:
        raise InvalidInput(field, f"must be one of: {', '.join(choices.values)}.")
    return value


def amount(value: int | None, *, field: str) -> int | None:
    """Nano-dollars from 0 to the largest balance, None for no bound, or InvalidInput."""
    if value is not None and not 0 <= value <= money.MAX_BALANCE:
        raise InvalidInput(field, "must be between 0 and 4,000,000,000 US dollars, or empty.")
    return value


@contextmanager
def unique(message: str, *, code: str) -> Iterator[None]:
    """What is written inside meets a unique constraint: Conflict, even for two at once."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError:
        raise Conflict(message, code=code) from None


def given(changes: Mapping[str, Any]) -> dict[str, Any]:
    """The changes somebody asked for."""
    return {key: value for key, value in changes.items() if value is not UNCHANGED}


def change(
    actor: Actor,
    organization: Organization,
    row: Model,
    changes: Mapping[str, Any],
    *,
    action: str,
    target: str,
) -> bool:
    """Set the columns that differ; if any did, write one audit record and raise the revision."""
    before = audit.facts(row, changes)
    differing = {key: value for key, value in changes.items() if before[key] != value}
    if not differing:
        return False
    for key, value in differing.items():
        setattr(row, key, value)
    row.save(update_fields=list(differing))
    written(
        actor,
        organization,
        action=action,
        target=target,
        before={key: before[key] for key in differing},
        after=differing,
    )
    return True


def written(
    actor: Actor,
    organization: Organization | None,
    *,
    action: str,
    target: str,
    before: audit.Facts | None = None,
    after: audit.Facts | None = None,
) -> None:
    """Write the audit record of a change and tell the gateways that something changed."""
    audit.record(
        organization=organization,
        actor=actor.public_id,
        action=action,
        target=target,
        before=_shown(before),
        after=_shown(after),
        address=actor.address,
    )
    revisions.bump()


AMOUNTS = frozenset({"monthly_credit_limit", "draw_per_day", "draw_per_month", "low_threshold"})


def _shown(facts: audit.Facts | None) -> dict[str, Any] | None:
    """Amounts as dollars, the rest as it is."""
    if facts is None:
        return None
    return {
        key: money.token(value) if key in AMOUNTS and value is not None else value
        for key, value in facts.items()
    }
