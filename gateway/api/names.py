"""Public ids for the bare primary keys that events keep."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gateway.models import DecisionEvent
from wallets.models import GatewayKey, Team, User, Wallet


@dataclass(frozen=True, slots=True)
class Names:
    """Primary key → public id, for teams, people, wallets and keys."""

    teams: dict[int, str] = field(default_factory=dict)
    users: dict[int, str] = field(default_factory=dict)
    wallets: dict[int, str] = field(default_factory=dict)
    keys: dict[int, str] = field(default_factory=dict)


def of(events: Sequence[DecisionEvent]) -> Names:
    """The names on a page of events: at most four statements."""
    return Names(
        teams(event.team_id for event in events),
        users(event.user_id for event in events),
        _public(Wallet, (event.wallet_id for event in events)),
        _public(GatewayKey, (event.key_id for event in events)),
    )


def teams(keys: Iterable[int | None]) -> dict[int, str]:
    """``team_<slug>`` by primary key."""
    wanted = {key for key in keys if key is not None}
    if not wanted:
        return {}
    rows = Team.objects.filter(pk__in=wanted).values_list("pk", "slug")
    return {pk: f"team_{slug}" for pk, slug in rows}


def users(keys: Iterable[int | None]) -> dict[int, str]:
    """``user_…`` by primary key."""
    return _public(User, keys)


def _public(
    model: type[User] | type[Wallet] | type[GatewayKey], keys: Iterable[int | None]
) -> dict[int, str]:
    wanted = {key for key in keys if key is not None}
    if not wanted:
        return {}
    rows = model._default_manager.filter(pk__in=wanted)
    return dict(rows.values_list("pk", "public_id"))
