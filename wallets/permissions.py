"""Who may do what: every permission rule of the product, in one table.

Read the table as: a *role of the organisation* may do its actions anywhere in the organisation; a
*lead* may do theirs in the teams they lead; a *member* may do theirs with what is their own (user
given, and the user is themself). Auditors change nothing, whatever team they lead.
"""

from enum import StrEnum
from fnmatch import fnmatchcase

from wallets.errors import Forbidden, NotFound
from wallets.models import Membership, Organization, Team, TeamMembership, User
from wallets.tenancy import Actor

Role = Membership.Role


class Action(StrEnum):
    """Everything somebody may be allowed to do. Token scopes name these, or ``wallets.*``."""

    ORGANIZATION_READ = "organization.read"
    ORGANIZATION_WRITE = "organization.write"
    PLATFORM_MANAGE = "platform.manage"
    WALLETS_READ = "wallets.read"
    WALLETS_CREDIT = "wallets.credit"
    WALLETS_ALLOCATE = "wallets.allocate"
    WALLETS_RECLAIM = "wallets.reclaim"
    WALLETS_ADJUST = "wallets.adjust"
    WALLETS_FREEZE = "wallets.freeze"
    WALLETS_MANAGE = "wallets.manage"
    BALANCE_READ = "balance.read"
    LIMITS_READ = "limits.read"
    LIMITS_WRITE = "limits.write"
    KEYS_READ = "keys.read"
    KEYS_MANAGE = "keys.manage"
    TOKENS_READ = "tokens.read"
    TOKENS_MANAGE = "tokens.manage"
    MEMBERS_READ = "members.read"
    MEMBERS_MANAGE = "members.manage"
    TEAMS_READ = "teams.read"
    TEAMS_MANAGE = "teams.manage"
    STOPS_READ = "stops.read"
    STOPS_MANAGE = "stops.manage"
    PRICING_READ = "pricing.read"
    PRICING_WRITE = "pricing.write"
    EVENTS_READ = "events.read"
    TEXTS_READ = "texts.read"
    USAGE_READ = "usage.read"
    AUDIT_READ = "audit.read"
    PAYMENTS_READ = "payments.read"
    PAYMENTS_CREATE = "payments.create"
    PAYMENTS_REFUND = "payments.refund"
    ALERTS_READ = "alerts.read"
    ALERTS_WRITE = "alerts.write"
    TICKETS_READ = "tickets.read"
    TICKETS_DECIDE = "tickets.decide"
    CACHE_PURGE = "cache.purge"


A = Action

PLATFORM_ONLY = frozenset({A.PLATFORM_MANAGE, A.PAYMENTS_REFUND})
"""What no role of an organisation may do."""

INTERNAL_FUNDING_ONLY = frozenset({A.WALLETS_CREDIT, A.PRICING_WRITE})
"""What an organisation may do itself only while its funding mode is ``internal``."""

READS = frozenset(action for action in A if action.value.endswith(".read"))
CHANGES = frozenset(A) - READS

BILLING = frozenset(
    {
        *(A.ORGANIZATION_READ, A.TEAMS_READ, A.MEMBERS_READ, A.BALANCE_READ, A.LIMITS_READ),
        *(A.WALLETS_READ, A.WALLETS_CREDIT, A.WALLETS_ALLOCATE, A.WALLETS_RECLAIM),
        *(A.WALLETS_ADJUST, A.WALLETS_FREEZE, A.WALLETS_MANAGE),
        *(A.EVENTS_READ, A.USAGE_READ, A.PRICING_READ, A.STOPS_READ),
        *(A.PAYMENTS_READ, A.PAYMENTS_CREATE, A.ALERTS_READ, A.ALERTS_WRITE),
        *(A.TICKETS_READ, A.TICKETS_DECIDE),
    }
)

EVERYBODY = frozenset({A.ORGANIZATION_READ, A.PRICING_READ})
"""What every member may do in the organisation as a whole."""

BY_ROLE: dict[str, frozenset[Action]] = {
    Role.ADMIN: frozenset(A) - PLATFORM_ONLY,
    Role.BILLING_ADMIN: BILLING,
    Role.AUDITOR: READS,
    Role.MEMBER: EVERYBODY,
}

STAFF_ROLES = (Role.ADMIN, Role.BILLING_ADMIN, Role.AUDITOR)
"""Roles that open the Django admin, scoped to their organisation."""

BY_LEAD = frozenset(
    {
        *(A.TEAMS_READ, A.MEMBERS_READ, A.MEMBERS_MANAGE, A.BALANCE_READ, A.WALLETS_READ),
        *(A.LIMITS_READ, A.KEYS_READ, A.KEYS_MANAGE, A.EVENTS_READ, A.USAGE_READ, A.STOPS_READ),
        *(A.ALERTS_READ, A.ALERTS_WRITE, A.TICKETS_READ, A.TICKETS_DECIDE),
    }
)
"""In the team they lead, and with everything of its members there."""

BY_LEAD_FOR_USERS = frozenset(
    {A.WALLETS_ALLOCATE, A.WALLETS_RECLAIM, A.WALLETS_MANAGE, A.LIMITS_WRITE}
)
"""With a user wallet of the team they lead (``user`` given): funded from the team wallet."""

BY_TEAM_MEMBER = frozenset({A.TEAMS_READ})

BY_OWNER = frozenset(
    {
        *(A.BALANCE_READ, A.WALLETS_READ, A.LIMITS_READ, A.EVENTS_READ, A.USAGE_READ),
        *(A.KEYS_READ, A.KEYS_MANAGE, A.TOKENS_READ, A.TOKENS_MANAGE, A.MEMBERS_READ),
        *(A.TICKETS_READ, A.STOPS_READ, A.TEXTS_READ),
    }
)
"""With what is one's own (``user`` given and it is oneself)."""


def allows(
    actor: Actor,
    action: Action,
    *,
    organization: Organization,
    team: Team | None = None,
    user: User | None = None,
) -> bool:
    """Whether ``actor`` may do ``action`` in the organisation, to a team of it, to a person's own.

    ``team`` and ``user`` say what it is done to; a user wallet is both.
    """
    if not actor.belongs_to(organization) or not _in_scope(actor, action):
        return False
    if team is not None and team.organization_id != organization.pk:
        return False
    if actor.platform:
        return True
    if action in INTERNAL_FUNDING_ONLY and not _funds_itself(organization):
        return False
    return all(
        _role_allows(actor, role, action, team, user) for role in _roles(actor, organization)
    )


def require(
    actor: Actor,
    action: Action,
    *,
    organization: Organization,
    team: Team | None = None,
    user: User | None = None,
    named: str = "such thing here",
) -> None:
    """Raise Forbidden unless allowed, or NotFound where the thing itself must not be known.

    ``named`` is what was asked for (``team team_x``), so that the answer is the one for an unknown.
    """
    if allows(actor, action, organization=organization, team=team, user=user):
        return
    if not actor.belongs_to(organization) or not _knows(actor, organization, team, user):
        raise NotFound(f"There is no {named}.")
    if action in INTERNAL_FUNDING_ONLY and not _funds_itself(organization):
        raise Forbidden(
            "This organisation is prepaid: only payments and platform administrators do that.",
            code="funding_mode_prepaid",
            action=action.value,
        )
    raise Forbidden("Your role does not allow this.", action=action.value)


def require_platform(actor: Actor) -> None:
    """Raise Forbidden unless it is a platform administrator or the system itself."""
    if not actor.platform or not _in_scope(actor, A.PLATFORM_MANAGE):
        raise Forbidden("Only platform administrators do that.", action=A.PLATFORM_MANAGE.value)


def grantable(actor: Actor, role: str, *, organization: Organization) -> bool:
    """Whether ``actor`` holds every right of ``role``: nobody grants what they do not have."""
    narrow = not all(_in_scope(actor, action) for action in BY_ROLE[role])
    return not narrow and holds_role(actor, role, organization=organization)


def holds_role(actor: Actor, role: str, *, organization: Organization) -> bool:
    """The same but for token scopes: enough where what is granted is as narrow as the actor."""
    if actor.platform:
        return True
    if not actor.belongs_to(organization):
        return False
    return all(BY_ROLE[role] <= BY_ROLE[own] for own in _roles(actor, organization))


def staffed(actor: Actor, action: Action | None = None) -> frozenset[int]:
    """Organisations (primary keys) where a staff role of the actor allows ``action``, or any."""
    return frozenset(
        pk
        for pk, role in actor.memberships.items()
        if role in STAFF_ROLES and (action is None or action in BY_ROLE[role])
    )


def known_scope(scope: str) -> bool:
    """Whether it names at least one action: ``wallets.read``, ``wallets.*``, ``*.read``."""
    return any(fnmatchcase(action.value, scope) for action in A)


def covered(scope: str, scopes: frozenset[str]) -> bool:
    """Whether everything ``scope`` names is named by ``scopes`` (empty: everything)."""
    named = [action.value for action in A if fnmatchcase(action.value, scope)]
    return not scopes or all(any(fnmatchcase(name, held) for held in scopes) for name in named)


def _in_scope(actor: Actor, action: Action) -> bool:
    return not actor.scopes or any(fnmatchcase(action.value, scope) for scope in actor.scopes)


def _funds_itself(organization: Organization) -> bool:
    return organization.funding_mode == Organization.FundingMode.INTERNAL


def _roles(actor: Actor, organization: Organization) -> list[str]:
    """The roles that must all allow it: the owner's and, for a token, its own."""
    own = actor.memberships[organization.pk]
    return [own] if actor.ceiling is None else [own, actor.ceiling]


def _role_allows(
    actor: Actor, role: str, action: Action, team: Team | None, user: User | None
) -> bool:
    if action in BY_ROLE[role]:
        return True
    if role == Role.AUDITOR:
        return False
    if user is not None and user == actor.user and action in BY_OWNER:
        return True
    if team is None:
        return False
    team_role = actor.team_roles.get(team.pk)
    if team_role == TeamMembership.Role.LEAD:
        return action in BY_LEAD or (user is not None and action in BY_LEAD_FOR_USERS)
    return team_role is not None and user is None and action in BY_TEAM_MEMBER


def _knows(actor: Actor, organization: Organization, team: Team | None, user: User | None) -> bool:
    """Whether the actor may know that it exists, so that a refusal gives nothing away."""
    if actor.platform or (team is None and user is None):
        return True
    if team is not None and team.organization_id != organization.pk:
        return False
    if actor.memberships[organization.pk] != Role.MEMBER or (user and user == actor.user):
        return True
    team_role = actor.team_roles.get(team.pk) if team else None
    return team_role == TeamMembership.Role.LEAD or (team_role is not None and user is None)
