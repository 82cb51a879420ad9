"""Whose view it is: who acts, in which organisation, and which rows exist for them.

Everything that names a row from outside goes through a ``resolve_…`` function here: a row of
another organisation is ``NotFound``, exactly like one that never was.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from wallets.errors import InvalidInput, NotFound
from wallets.models import (
    ApiToken,
    Membership,
    Organization,
    ServiceAccount,
    Team,
    TeamMembership,
    User,
)

M = TypeVar("M", bound=Model)

NOTHING: Mapping[int, str] = MappingProxyType({})

PLATFORM_SCOPE = "platform"
"""The scope that lets the token of a platform administrator act in every organisation."""


class Kind(StrEnum):
    """What acts."""

    USER = "user"
    TOKEN = "token"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Somebody who asks for something: a person, a token, or the system itself.

    ``organization`` is the one they act in; ``memberships`` maps organisation → role and
    ``team_roles`` team → role, by primary key. ``ceiling`` is a token's own role, which narrows
    what its owner may; ``scopes`` narrows further (empty: no narrowing). ``platform``: every
    organisation.
    """

    kind: Kind
    public_id: str
    organization: Organization | None = None
    platform: bool = False
    user: User | None = None
    memberships: Mapping[int, str] = field(default_factory=lambda: NOTHING)
    team_roles: Mapping[int, str] = field(default_factory=lambda: NOTHING)
    ceiling: str | None = None
    scopes: frozenset[str] = frozenset()
    address: str | None = None

    @property
    def role(self) -> str | None:
        """The role in the organisation they act in: the weaker of the owner's and the token's."""
        if self.organization is None:
            return None
        own = self.memberships.get(self.organization.pk)
        order: list[str] = list(Membership.Role.values)
        if own is None or self.ceiling is None:
            return own
        return max(own, self.ceiling, key=order.index)

    def belongs_to(self, organization: Organization | int) -> bool:
        """Whether anything of this organisation exists for them."""
        pk = organization if isinstance(organization, int) else organization.pk
        return self.platform or pk in self.memberships

    def acting_in(self, organization: Organization) -> "Actor":
        """The same actor in another of their organisations; raises NotFound for a foreign one."""
        if not self.belongs_to(organization):
            raise NotFound("There is no such organisation.")
        return replace(self, organization=organization)


def system(public_id: str = "system") -> Actor:
    """The system itself (``system``, ``gateway``, ``cli``): may do everything but own things."""
    return Actor(kind=Kind.SYSTEM, public_id=public_id, platform=True)


def of_user(
    user: User, *, organization: Organization | None = None, address: str | None = None
) -> Actor:
    """A signed-in person; without ``organization`` in their first one, by slug.

    Raises NotFound for an organisation that is not theirs. Platform administrators without an
    organisation given act in none.
    """
    memberships = list(
        Membership.objects.filter(user=user)
        .select_related("organization")
        .order_by("organization__slug")
    )
    actor = Actor(
        kind=Kind.USER,
        public_id=user.public_id,
        platform=user.is_superuser and user.is_active,
        user=user,
        memberships={row.organization_id: row.role for row in memberships},
        team_roles=dict(
            TeamMembership.objects.filter(user=user).values_list("team_id", "role").iterator()
        ),
        address=address,
    )
    if organization is not None:
        return actor.acting_in(organization)
    if actor.platform or not memberships:
        return actor
    return replace(actor, organization=memberships[0].organization)


def of_token(token: ApiToken, *, address: str | None = None) -> Actor:
    """An API token: in its organisation, with at most its own role and its owner's."""
    scopes = frozenset(token.scopes) - {PLATFORM_SCOPE}
    if token.user is None:
        account: ServiceAccount = token.service_account  # type: ignore[assignment]
        return Actor(
            kind=Kind.TOKEN,
            public_id=token.public_id,
            organization=token.organization,
            memberships={token.organization_id: account.role},
            ceiling=token.role,
            scopes=scopes,
            address=address,
        )
    owner = of_user(token.user)
    platform = owner.platform and PLATFORM_SCOPE in token.scopes
    here = {pk: role for pk, role in owner.memberships.items() if pk == token.organization_id}
    if owner.platform and not here:
        here = {token.organization_id: Membership.Role.ADMIN}
    return replace(
        owner,
        kind=Kind.TOKEN,
        public_id=token.public_id,
        platform=platform,
        organization=None if platform else token.organization,
        memberships=here,
        ceiling=None if platform else token.role,
        scopes=scopes,
        address=address,
    )


def resolve_organization(actor: Actor, public_id: str | None = None) -> Organization:
    """The organisation a request is about.

    Without ``public_id`` the one the actor acts in; platform actors without one must name it
    (InvalidInput ``organization_id``). Unknown and foreign ones are NotFound alike.
    """
    if not public_id:
        if actor.organization is None:
            raise InvalidInput("organization_id", "Say which organisation: organization_id=org_….")
        return actor.organization
    found = Organization.objects.filter(public_id=public_id).first()
    if found is None or not actor.belongs_to(found):
        raise NotFound(f"There is no organisation {public_id}.")
    return found


def resolve_team(actor: Actor, team_id: str, *, organization: Organization | None = None) -> Team:
    """``team_<slug>`` (or the bare slug) inside the organisation; raises NotFound."""
    tenant = _tenant(actor, organization)
    slug = team_id.removeprefix("team_")
    found = Team.objects.for_organization(tenant).filter(slug=slug).first()
    if found is None:
        raise NotFound(f"There is no team {team_id}.")
    found.organization = tenant
    return found


def resolve_user(actor: Actor, user_id: str, *, organization: Organization | None = None) -> User:
    """The member ``user_…`` of the organisation; raises NotFound."""
    tenant = _tenant(actor, organization)
    found = User.objects.filter(public_id=user_id, memberships__organization=tenant).first()
    if found is None:
        raise NotFound(f"There is no user {user_id}.")
    return found


def resolve(
    actor: Actor,
    rows: "QuerySet[M]",
    public_id: str,
    *,
    organization: Organization | None = None,
    called: str = "",
) -> M:
    """The row of the organisation with this public id, for every model that has both columns.

    ``called`` is the word of the error message, by default the model's name. Raises NotFound.
    """
    tenant = _tenant(actor, organization)
    filters: dict[str, Any] = {"organization": tenant, "public_id": public_id}
    found = rows.filter(**filters).first()
    if found is None:
        raise NotFound(f"There is no {called or rows.model._meta.verbose_name} {public_id}.")
    return found


def _tenant(actor: Actor, organization: Organization | None) -> Organization:
    tenant = organization or resolve_organization(actor)
    if not actor.belongs_to(tenant):
        raise NotFound("There is no such organisation.")
    return tenant
