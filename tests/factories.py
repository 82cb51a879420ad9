"""People, keys, wallets and money for tests: plain functions, straight on models and the ledger.

Amounts are US dollars (``Decimal``, ``int`` or text), as people say them. Everything a factory is
not told gets a fresh name, so that tests never meet by accident.
"""

import hashlib
import itertools
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils import timezone

from gateway.models import DecisionEvent
from keeptrusts.lib import ids, money
from wallets import ledger
from wallets.models import (
    ApiToken,
    ConsumerGroup,
    CostTicket,
    Crossing,
    GatewayKey,
    Membership,
    Organization,
    Reservation,
    ServiceAccount,
    Team,
    TeamMembership,
    User,
    Wallet,
)

Dollars = Decimal | int | str

_numbers = itertools.count(1)


class IssuedToken(NamedTuple):
    """An API token and its secret, which is shown this once."""

    token: ApiToken
    secret: str


class IssuedKey(NamedTuple):
    """A gateway key and its secret, which is shown this once."""

    key: GatewayKey
    secret: str


def nano(dollars: Dollars) -> int:
    """Whole nano-dollars of ``dollars``."""
    return money.nanos(Decimal(dollars))


def make_organization(slug: str = "", *, credit: Dollars = 0, **fields: Any) -> Organization:
    """An organisation with its wallet, holding ``credit``."""
    slug = slug or f"org-{next(_numbers)}"
    organization = Organization.objects.create(
        slug=slug, name=fields.pop("name", slug.title()), **fields
    )
    wallet = Wallet.objects.create(organization=organization, scope=Wallet.Scope.ORGANIZATION)
    if Decimal(credit):
        fund(wallet, credit)
    return organization


def make_team(
    organization: Organization,
    slug: str = "",
    *,
    balance: Dollars = 0,
    draws_on_parent: bool = True,
    **fields: Any,
) -> Team:
    """A team with its wallet, holding ``balance``."""
    slug = slug or f"team-{next(_numbers)}"
    team = Team.objects.create(
        organization=organization, slug=slug, name=fields.pop("name", slug.title()), **fields
    )
    wallet = Wallet.objects.create(
        organization=organization,
        scope=Wallet.Scope.TEAM,
        team=team,
        parent=organization_wallet(organization),
        draws_on_parent=draws_on_parent,
    )
    if Decimal(balance):
        fund(wallet, balance)
    return team


def make_user(
    organization: Organization | None = None,
    username: str = "",
    *,
    role: str = Membership.Role.MEMBER,
    lead_of: tuple[Team, ...] = (),
    member_of: tuple[Team, ...] = (),
    **fields: Any,
) -> User:
    """A person, with a role in ``organization`` and in teams."""
    username = username or f"person-{next(_numbers)}"
    user = User.objects.create_user(
        username, f"{username}@example.com", "a-long-password", **fields
    )
    if organization is not None:
        Membership.objects.create(organization=organization, user=user, role=role)
    for teams, team_role in (
        (lead_of, TeamMembership.Role.LEAD),
        (member_of, TeamMembership.Role.MEMBER),
    ):
        for team in teams:
            TeamMembership.objects.create(
                organization=team.organization, team=team, user=user, role=team_role
            )
    return user


def make_platform_administrator(username: str = "") -> User:
    """A superuser, member of no organisation."""
    return make_user(None, username, is_superuser=True, is_staff=True)


def make_service_account(
    organization: Organization, name: str = "", *, role: str = Membership.Role.MEMBER
) -> ServiceAccount:
    """A client that is no person."""
    name = name or f"service-{next(_numbers)}"
    return ServiceAccount.objects.create(organization=organization, name=name, role=role)


def make_token(
    organization: Organization,
    user: User | None = None,
    *,
    role: str = Membership.Role.ADMIN,
    service_account: ServiceAccount | None = None,
    **fields: Any,
) -> IssuedToken:
    """A bearer token for /v1. Without an owner: a new person who has ``role``."""
    if user is None and service_account is None:
        user = make_user(organization, role=role)
    secret = f"kt_live_{ids.public_id('x').removeprefix('x_')}"
    token = ApiToken.objects.create(
        organization=organization,
        user=user,
        service_account=service_account,
        role=role,
        digest=_digest(secret),
        prefix=secret[:12],
        **fields,
    )
    return IssuedToken(token, secret)


def make_consumer_group(team: Team, name: str = "") -> ConsumerGroup:
    """A consumer group whose requests the team's wallet pays; named as the team unless told."""
    return ConsumerGroup.objects.create(
        organization=team.organization, team=team, name=name or team.slug
    )


def make_group_key(group: ConsumerGroup, secret: str = "", **fields: Any) -> IssuedKey:
    """A gateway key ``kt_cg_…`` of a consumer group."""
    secret = secret or f"kt_cg_{ids.public_id('x').removeprefix('x_')}"
    key = GatewayKey.objects.create(
        organization=group.organization,
        team=group.team,
        consumer_group=group,
        digest=_digest(secret),
        prefix=secret[:12],
        **fields,
    )
    return IssuedKey(key, secret)


def make_personal_key(team: Team, user: User, secret: str = "", **fields: Any) -> IssuedKey:
    """A gateway key ``kt_user_…`` of a person in a team."""
    secret = secret or f"kt_user_{ids.public_id('x').removeprefix('x_')}"
    key = GatewayKey.objects.create(
        organization=team.organization,
        team=team,
        user=user,
        digest=_digest(secret),
        prefix=secret[:12],
        **fields,
    )
    return IssuedKey(key, secret)


def make_ticket(wallet: Wallet, missing: Dollars = 1, **fields: Any) -> CostTicket:
    """An open cost ticket on a wallet that was short of ``missing``."""
    now = timezone.now()
    fields.setdefault("team", wallet.team)
    fields.setdefault("reason_code", "insufficient_balance")
    fields.setdefault("hour", now.replace(minute=0, second=0, microsecond=0))
    return CostTicket.objects.create(
        organization=wallet.organization,
        user=wallet.user,
        wallet=wallet,
        needed=fields.pop("needed", nano(missing)),
        missing=nano(missing),
        requests=fields.pop("requests", 1),
        first_at=fields.pop("first_at", now),
        last_at=fields.pop("last_at", now),
        **fields,
    )


def make_waiter(wallet: Wallet, dollars: Dollars, **fields: Any) -> ledger.Reserve:
    """Ask for a hold that waits for money on ``wallet``; ``fields`` are the reserve's."""
    asked = ledger.Reserve(
        organization_id=wallet.organization_id,
        id=ids.uuid7(),
        amount=nano(dollars),
        candidates=fields.pop("candidates", (ledger.Candidate(wallet=ref(wallet)),)),
        waiting=ledger.Waiting(reasons=frozenset({"exhausted"})),
        **{"team_id": wallet.team_id, "user_id": wallet.user_id, **fields},
    )
    assert ledger.post_one(asked).waits
    return asked


def make_crossing(team: Team, level: str = "80", **fields: Any) -> Crossing:
    """A budget of a team that passed ``level`` percent."""
    fields.setdefault("period_start", timezone.now())
    return Crossing.objects.create(
        seq=Crossing.objects.count() + 1,
        organization=team.organization,
        kind=Crossing.Kind.BUDGET,
        scope=f"team:{team.pk}",
        team=team,
        level=level,
        created_at=fields.pop("created_at", timezone.now()),
        **fields,
    )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def organization_wallet(organization: Organization) -> Wallet:
    """The wallet of the organisation, fresh from the database."""
    return Wallet.objects.get(organization=organization, scope=Wallet.Scope.ORGANIZATION)


def team_wallet(team: Team) -> Wallet:
    """The wallet of the team, fresh from the database."""
    return Wallet.objects.get(team=team, scope=Wallet.Scope.TEAM)


def user_wallet(team: Team, user: User) -> Wallet:
    """The wallet of a person in a team, fresh from the database."""
    return Wallet.objects.get(team=team, user=user, scope=Wallet.Scope.USER)


def make_user_wallet(team: Team, user: User, *, balance: Dollars = 0, **fields: Any) -> Wallet:
    """The wallet of a person in a team, holding ``balance``."""
    wallet = Wallet.objects.create(
        organization=team.organization,
        scope=Wallet.Scope.USER,
        team=team,
        user=user,
        parent=team_wallet(team),
        **fields,
    )
    if Decimal(balance):
        fund(wallet, balance)
    return wallet


def ref(wallet: Wallet) -> ledger.Ref:
    """How the ledger names a wallet."""
    return ledger.Ref(id=wallet.pk, rank=wallet.rank)


def fund(wallet: Wallet, dollars: Dollars) -> Wallet:
    """Add money: a credit to the organisation, handed down by transfers; answers it fresh.

    Wallets above end with the balance they had.
    """
    path = [wallet]
    while path[0].parent is not None:
        path.insert(0, path[0].parent)
    amount = nano(dollars)
    organization_id = wallet.organization_id
    ledger.post_one(
        ledger.Credit(
            organization_id=organization_id, wallet=ref(path[0]), amount=amount, notes="test"
        )
    )
    for source, target in itertools.pairwise(path):
        leg = ledger.Leg(source=ref(source), target=ref(target), amount=amount)
        ledger.post_one(
            ledger.Transfer(organization_id=organization_id, id=ids.uuid7(), legs=(leg,))
        )
    return Wallet.objects.get(pk=wallet.pk)


def hold(wallet: Wallet, dollars: Dollars, **fields: Any) -> Reservation:
    """An open hold on ``wallet``, consumed by its team and user unless told."""
    id = ids.uuid7()
    ledger.post_one(
        ledger.Reserve(
            organization_id=wallet.organization_id,
            id=id,
            amount=nano(dollars),
            candidates=(ledger.Candidate(wallet=ref(wallet)),),
            **{"team_id": wallet.team_id, "user_id": wallet.user_id, **fields},
        )
    )
    return Reservation.objects.get(pk=id)


def settle(reservation: Reservation, dollars: Dollars) -> Reservation:
    """Close a hold at its actual cost."""
    ledger.post_one(
        ledger.Settle(
            organization_id=reservation.organization_id, id=reservation.pk, cost=nano(dollars)
        )
    )
    return Reservation.objects.get(pk=reservation.pk)


def spend(wallet: Wallet, dollars: Dollars, **fields: Any) -> DecisionEvent:
    """A finished request that ``wallet`` paid: hold, settle and event; ``fields`` are the event's.

    ``team_id`` and ``user_id`` (who consumed) default to the wallet's own.
    """
    consumer = {
        name: fields.pop(name, getattr(wallet, name, None)) for name in ("team_id", "user_id")
    }
    model = fields.setdefault("model", "gpt-4o-mini")
    provider = fields.setdefault("provider", "openai")
    reservation = settle(hold(wallet, dollars, model=model, provider=provider, **consumer), dollars)
    return make_event(
        wallet.organization,
        wallet=wallet,
        reservation=reservation.pk,
        cost=nano(dollars),
        hold=nano(dollars),
        **consumer,
        **fields,
    )


def make_event(
    organization: Organization, *, created_at: datetime | None = None, **fields: Any
) -> DecisionEvent:
    """A decision event; an allowed completion of 14 + 25 tokens unless told otherwise."""
    defaults: dict[str, Any] = {
        "provider": "openai",
        "model": "gpt-4o-mini",
        "route": "/v1/chat/completions",
        "verdict": DecisionEvent.Verdict.ALLOW,
        "status": 200,
        "prompt_tokens": 14,
        "completion_tokens": 25,
        "latency_ms": 120,
    }
    return DecisionEvent.objects.create(
        id=ids.public_id("req"),
        organization=organization,
        created_at=created_at or timezone.now(),
        **{**defaults, **fields},
    )
