"""Limits: at most so much consumed under a scope per hour, day or month, whichever wallet pays.

``Rule`` is what gateways keep in memory; ``uses`` turns rules into what the ledger checks under its
lock. A limit that is not set allows everything, one of 0 allows nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from keeptrusts.lib import money
from wallets import audit, periods, revisions
from wallets.errors import InvalidInput
from wallets.ledger import CounterUse
from wallets.models import (
    ConsumerGroup,
    GatewayKey,
    Limit,
    Organization,
    Team,
    User,
)

CODES = {
    "hour": "hourly_limit_exceeded",
    "day": "daily_limit_exceeded",
    "month": "monthly_limit_exceeded",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """Who consumes: the scopes a request counts under. Primary keys."""

    organization_id: int
    zone: str
    team_id: int
    user_id: int | None = None
    key_id: int | None = None
    consumer_group_id: int | None = None

    def scopes(self) -> list[tuple[str, dict[str, int]]]:
        """Scope texts as in ``Limit.scope`` with the reservation columns that select them."""
        team = {"team_id": self.team_id}
        found: list[tuple[str, dict[str, int]]] = [
            ("organization", {}),
            (f"team:{self.team_id}", team),
        ]
        if self.user_id is not None:
            user = {**team, "user_id": self.user_id}
            found.append((f"user:{self.team_id}:{self.user_id}", user))
        if self.key_id is not None:
            found.append((f"key:{self.key_id}", {"key_id": self.key_id}))
        if self.consumer_group_id is not None:
            group = {"consumer_group_id": self.consumer_group_id}
            found.append((f"consumer_group:{self.consumer_group_id}", group))
        return found


@dataclass(frozen=True, slots=True)
class Rule:
    """One limit in memory: ``amount`` nano-dollars per ``period``.

    ``counter`` names its counters: a limit that was taken away and set again starts with new ones,
    which count what was consumed in between; those of a rotated key go on under its successor.
    """

    counter: int
    period: str
    amount: int


def rules(organization_ids: Iterable[int]) -> dict[int, dict[str, list[Rule]]]:
    """All limits by organisation and scope: one statement."""
    found: dict[int, dict[str, list[Rule]]] = {}
    rows = Limit.objects.filter(organization_id__in=list(organization_ids))
    for organization, scope, id_, counter, period, amount in rows.values_list(
        "organization_id", "scope", "id", "counter", "period", "amount"
    ):
        rule = Rule(counter or id_, period, amount)
        found.setdefault(organization, {}).setdefault(scope, []).append(rule)
    return found


def uses(
    by_scope: Mapping[str, list[Rule]], consumer: Consumer, at: datetime
) -> tuple[CounterUse, ...]:
    """The counters a request of ``consumer`` must fit into at ``at``."""
    if not by_scope:
        return ()
    return tuple(
        counter_use(
            f"limit:{rule.counter}", consumer, at, period=rule.period, cap=rule.amount, **columns
        )
        for scope, columns in consumer.scopes()
        for rule in by_scope.get(scope, ())
    )


def counter_use(
    name: str, consumer: Consumer, at: datetime, *, period: str, cap: int, **columns: int | None
) -> CounterUse:
    """One counter of one period; ``columns`` select the reservations that fill it."""
    begun = periods.start(period, at, consumer.zone)
    return CounterUse(
        key=counter_key(consumer.organization_id, name, period, begun),
        organization_id=consumer.organization_id,
        period_start=begun,
        cap=cap,
        code=CODES[period],
        **columns,
    )


@transaction.atomic
def set_limit(
    *,
    organization: Organization,
    period: str,
    amount: int,
    actor: str,
    team: Team | None = None,
    user: User | None = None,
    key: GatewayKey | None = None,
    consumer_group: ConsumerGroup | None = None,
) -> Limit:
    """Set (or change) the limit of a scope: ``amount`` nano-dollars per ``period``, 0 allows
    nothing.
    """
    if period not in CODES:
        raise InvalidInput("period", "must be hour, day or month.")
    if not 0 <= amount <= money.MAX_BALANCE:
        raise InvalidInput("amount", "must be between 0 and 4,000,000,000 US dollars.")
    if user is not None and team is None:
        raise InvalidInput("team_id", "is needed with user_id: the limit is on a person in a team.")
    scope = Limit.scope_of(
        team_id=team.pk if team else None,
        user_id=user.pk if user else None,
        key_id=key.pk if key else None,
        consumer_group_id=consumer_group.pk if consumer_group else None,
    )
    own = {"team": team, "user": user, "key": key, "consumer_group": consumer_group}
    before = Limit.objects.filter(organization=organization, scope=scope, period=period).first()
    limit, _ = Limit.objects.update_or_create(
        organization=organization, scope=scope, period=period, defaults={**own, "amount": amount}
    )
    revisions.bump()
    audit.record(
        organization=organization, actor=actor, action="limit.set", target=limit.public_id,
        before=_audited(before), after=_audited(limit),
    )  # fmt: skip
    return limit


def counter_key(organization_id: int, name: str, period: str, begun: datetime) -> str:
    """The primary key of a counter: one per limit and period."""
    return f"{organization_id}:{name}:{period}:{begun:%Y-%m-%dT%H:%MZ}"


@transaction.atomic
def remove_limit(*, limit: Limit, actor: str) -> None:
    """Take a limit away; what was consumed stays counted should it come back."""
    audit.record(
        organization=limit.organization, actor=actor, action="limit.remove",
        target=limit.public_id, before=_audited(limit),
    )  # fmt: skip
    limit.delete()
    revisions.bump()


def _audited(limit: Limit | None) -> dict[str, str] | None:
    if limit is None:
        return None
    return {"scope": limit.scope, "period": limit.period, "amount": money.token(limit.amount)}
