"""Reads a snapshot from the database: a dozen statements, whatever the number of requests."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import Max, Q
from django.utils import timezone

from gateway.models import CacheGeneration
from gateway.policy import PolicyFile
from gateway.pricing import PriceBook
from gateway.snapshot.callers import Directory
from gateway.snapshot.cards import OrganizationCard, StopCard, TeamCard, digest
from gateway.snapshot.snapshot import Snapshot, UnusablePolicy
from wallets import limits, revisions
from wallets.cascade import WalletCard
from wallets.models import ApiToken, ConsumerGroup, GatewayKey, Organization, Stop, Team, Wallet

log = logging.getLogger(__name__)


def revision() -> tuple[int, int]:
    """A number that moves with every change, and the newest wallet: two tiny reads."""
    newest = Wallet.objects.aggregate(newest=Max("pk"))["newest"]
    return revisions.current(), newest or 0


def in_debt(organization_id: int) -> bool:
    """Whether the organisation wallet owes money after a reversed payment."""
    return Wallet.objects.filter(
        organization=organization_id, scope=Wallet.Scope.ORGANIZATION, debt__gt=0
    ).exists()


def snapshot(policy: PolicyFile) -> Snapshot:
    """What the database says now, seen through ``policy``; raises ``UnusablePolicy``."""
    at = revision()
    organization = organization_of(policy)
    stops = _stops(organization.pk)
    card = _organization(organization)
    cards = {wallet.pk: WalletCard.of(wallet) for wallet in _wallets(organization.pk)}
    directory = Directory(
        organization=card,
        policy=policy,
        teams=_teams(organization.pk),
        groups=list(ConsumerGroup.objects.filter(organization=organization)),
        wallets=cards,
        stops=stops.targets,
    )
    return Snapshot(
        revision=at,
        policy=policy,
        organization=card,
        callers=directory.callers(
            _keys(organization.pk), revoked=_revoked(organization.pk, policy)
        ),
        wallets=cards,
        limits=limits.rules([organization.pk]).get(organization.pk, {}),
        prices=PriceBook.load(),
        stopped_models=stops.models,
        stopped_providers=stops.providers,
        in_debt=in_debt(organization.pk),
        cache_generation=CacheGeneration.of(organization.pk),
    )


def organization_of(policy: PolicyFile) -> Organization:
    """Whose policy it is: the API token's organisation, the named one, or the only one."""
    found = _by_token(policy.api_token) or _by_name(policy.document.organization)
    if found is not None:
        return found
    some = list(Organization.objects.all()[:2])
    if len(some) == 1:
        return some[0]
    raise UnusablePolicy(
        "there is no organization yet: create one first"
        if not some
        else "several organizations exist: say which one with a line 'organization: SLUG'"
    )


def _by_token(token: str | None) -> Organization | None:
    if not token:
        return None
    row = (
        ApiToken.objects.filter(digest=digest(token), revoked_at=None)
        .exclude(expires_at__lte=timezone.now())
        .select_related("organization")
        .first()
    )
    return row.organization if row else None


def _by_name(name: str | None) -> Organization | None:
    if name is None:
        return None
    found = Organization.objects.filter(Q(slug=name) | Q(public_id=name)).first()
    if found is None:
        raise UnusablePolicy(f"there is no organization '{name}'")
    return found


def _organization(row: Organization) -> OrganizationCard:
    return OrganizationCard(
        id=row.pk,
        public_id=row.public_id,
        slug=row.slug,
        name=row.name,
        zone=row.time_zone,
        active=row.status == Organization.Status.ACTIVE,
    )


def _teams(organization_id: int) -> dict[int, TeamCard]:
    rows = Team.objects.filter(organization=organization_id, archived_at=None)
    return {row.pk: TeamCard(id=row.pk, slug=row.slug, name=row.name) for row in rows}


def _wallets(organization_id: int) -> Iterable[Wallet]:
    return Wallet.objects.filter(organization=organization_id).iterator()


def _keys(organization_id: int) -> Iterable[GatewayKey]:
    return (
        GatewayKey.objects.filter(organization=organization_id, revoked_at=None)
        .exclude(expires_at__lte=timezone.now())
        .select_related("user")
        .iterator()
    )


def _revoked(organization_id: int, policy: PolicyFile) -> set[str]:
    """Keys of the file that are revoked in the database: the revocation wins."""
    known = [digest(group.api_key) for group in policy.groups]
    rows = GatewayKey.objects.filter(organization=organization_id, digest__in=known)
    ended = rows.filter(Q(revoked_at__isnull=False) | Q(expires_at__lte=timezone.now()))
    return set(ended.values_list("digest", flat=True))


@dataclass(slots=True)
class _Stops:
    """Stop switches that are pulled: of callers by (scope, public id), the others by name.

    Names are case-folded.
    """

    targets: dict[tuple[str, str], StopCard] = field(default_factory=dict)
    models: dict[str, StopCard] = field(default_factory=dict)
    providers: dict[str, StopCard] = field(default_factory=dict)


def _stops(organization_id: int) -> _Stops:
    stops = _Stops()
    for stop in Stop.objects.filter(organization=organization_id, lifted_at=None):
        card = StopCard(stop.scope, stop.cut, stop.reason)
        if stop.scope == Stop.Scope.MODEL:
            stops.models[stop.target.strip().casefold()] = card
        elif stop.scope == Stop.Scope.PROVIDER:
            stops.providers[stop.target.strip().casefold()] = card
        else:
            stops.targets[stop.scope, stop.target] = card
    return stops
