"""Making credentials. Nobody makes one with rights they lack."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db import transaction

from wallets import permissions
from wallets.errors import Conflict, Forbidden, InvalidInput
from wallets.keys import secret as secrets
from wallets.models import (
    ApiToken,
    ConsumerGroup,
    GatewayKey,
    Membership,
    Organization,
    ServiceAccount,
    Team,
    TeamMembership,
    User,
)
from wallets.people import checks
from wallets.permissions import Action
from wallets.tenancy import PLATFORM_SCOPE, Actor

MOST_ITEMS = 100
LONGEST_ITEM = 120


@transaction.atomic
def issue_api_token(
    *,
    actor: Actor,
    organization: Organization,
    owner: User | ServiceAccount,
    role: str,
    scopes: Iterable[str] = (),
    name: str = "",
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """Make a bearer token for /v1; answers it with its secret, which nobody sees again.

    A person makes tokens for themself only; service accounts get theirs from who manages tokens.
    Scope ``platform`` makes the token of a platform administrator act in every organisation. Raises
    InvalidInput, Forbidden (``rights_exceeded``, ``not_yours``), NotFound.
    """
    person = owner if isinstance(owner, User) else None
    permissions.require(actor, Action.TOKENS_MANAGE, organization=organization, user=person)
    if isinstance(owner, User):
        if actor.user != owner:
            raise Forbidden("API tokens of a person are made by themself.", code="not_yours")
    else:
        _check_account(owner, organization, role)
    token = ApiToken(
        organization=organization,
        user=person,
        service_account=owner if isinstance(owner, ServiceAccount) else None,
        role=_check_role(actor, organization, role),
        scopes=_check_scopes(actor, scopes),
        name=secrets.check_name(name),
        expires_at=secrets.check_expiry(expires_at),
    )
    secret = secrets.seal(token, secrets.LIVE, actor)
    checks.written(
        actor,
        organization,
        action="token.issue",
        target=token.public_id,
        after={
            "owner": owner.public_id,
            "role": role,
            "scopes": token.scopes,
            "expires_at": expires_at,
        },
    )
    return token, secret


@transaction.atomic
def issue_group_key(
    *,
    actor: Actor,
    group: ConsumerGroup,
    name: str = "",
    allowed_models: Iterable[str] | None = None,
    default_tags: Mapping[str, str] | None = None,
    expires_at: datetime | None = None,
) -> tuple[GatewayKey, str]:
    """Make a gateway key of a consumer group; answers it with its secret.

    Raises Conflict (``archived``), InvalidInput, Forbidden, NotFound.
    """
    team = group.team
    permissions.require(actor, Action.KEYS_MANAGE, organization=group.organization, team=team)
    if group.archived_at or team.archived_at:
        raise Conflict("The consumer group or its team is archived.", code="archived")
    key = GatewayKey(organization=group.organization, team=team, consumer_group=group)
    _describe(key, name, allowed_models, default_tags, expires_at)
    return key, _issue_key(actor, key, secrets.GROUP, group.public_id)


@transaction.atomic
def issue_user_key(
    *,
    actor: Actor,
    team: Team,
    user: User,
    name: str = "",
    allowed_models: Iterable[str] | None = None,
    default_tags: Mapping[str, str] | None = None,
    expires_at: datetime | None = None,
) -> tuple[GatewayKey, str]:
    """Make somebody's personal gateway key in a team; only they can, only they see the secret.

    Raises Forbidden (``not_yours``) for anybody else, Conflict (``archived``), InvalidInput,
    NotFound.
    """
    permissions.require(
        actor, Action.KEYS_MANAGE, organization=team.organization, team=team, user=user
    )
    if actor.user != user:
        raise Forbidden("Personal keys are made by the person themself.", code="not_yours")
    if not TeamMembership.objects.filter(team=team, user=user).exists():
        raise InvalidInput("team_id", "must name a team you are a member of.")
    if team.archived_at:
        raise Conflict("The team is archived.", code="archived")
    key = GatewayKey(organization=team.organization, team=team, user=user)
    _describe(key, name, allowed_models, default_tags, expires_at)
    return key, _issue_key(actor, key, secrets.PERSONAL, user.public_id)


def _issue_key(actor: Actor, key: GatewayKey, kind: str, owner: str) -> str:
    secret = secrets.seal(key, kind, actor)
    checks.written(
        actor,
        key.organization,
        action="key.issue",
        target=key.public_id,
        after={
            "owner": owner,
            "team": key.team.public_id,
            "allowed_models": key.allowed_models,
            "expires_at": key.expires_at,
        },
    )
    return secret


def _describe(
    key: GatewayKey,
    name: str,
    allowed_models: Iterable[str] | None,
    default_tags: Mapping[str, str] | None,
    expires_at: datetime | None,
) -> None:
    key.name = secrets.check_name(name)
    key.expires_at = secrets.check_expiry(expires_at)
    # An empty list looks like "all" to some and "none" to others.
    if allowed_models is not None and not (allowed_models := list(allowed_models)):
        raise InvalidInput("allowed_models", "must name a model; leave it out (null) to allow all.")
    key.allowed_models = (
        None if allowed_models is None else _check_words(allowed_models, "allowed_models")
    )
    key.default_tags = dict(default_tags or {})
    _check_words(key.default_tags.keys(), "default_tags")
    _check_words(key.default_tags.values(), "default_tags")


def _check_words(words: Iterable[str], field: str) -> list[str]:
    found = list(words)
    if len(found) > MOST_ITEMS:
        raise InvalidInput(field, f"must have at most {MOST_ITEMS} items.")
    if not all(isinstance(word, str) and 0 < len(word) <= LONGEST_ITEM for word in found):
        raise InvalidInput(field, f"must hold texts of 1 to {LONGEST_ITEM} characters.")
    return found


def _check_account(account: ServiceAccount, organization: Organization, role: str) -> None:
    if account.organization_id != organization.pk:
        raise InvalidInput("service_account_id", "must name one of this organisation.")
    if account.disabled_at is not None:
        raise Conflict("The service account is disabled.", code="service_account_disabled")
    checks.choice(role, Membership.Role, field="role")
    if not permissions.BY_ROLE[role] <= permissions.BY_ROLE[account.role]:
        raise InvalidInput("role", f"must not exceed the account's own role, {account.role}.")


def _check_role(actor: Actor, organization: Organization, role: str) -> str:
    checks.choice(role, Membership.Role, field="role")
    if not permissions.holds_role(actor, role, organization=organization):
        raise Forbidden("You cannot grant rights you do not have.", code="rights_exceeded")
    return role


def _check_scopes(actor: Actor, scopes: Iterable[str]) -> list[str]:
    wanted = sorted(set(scopes))
    for scope in wanted:
        if scope == PLATFORM_SCOPE:
            if not actor.platform:
                raise Forbidden("You cannot grant rights you do not have.", code="rights_exceeded")
        elif not permissions.known_scope(scope):
            raise InvalidInput(
                "scopes", f"{scope!r} names nothing; use e.g. wallets.read or *.read."
            )
    narrowing = [scope for scope in wanted if scope != PLATFORM_SCOPE]
    # An empty list would mean everything: a narrowed token must narrow what it makes.
    if actor.scopes and not (
        narrowing and all(permissions.covered(scope, actor.scopes) for scope in narrowing)
    ):
        raise Forbidden("You cannot grant rights you do not have.", code="rights_exceeded")
    return wanted
