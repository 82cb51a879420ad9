"""Replacing and ending credentials."""

from datetime import timedelta
from typing import TypeVar

from django.db import transaction
from django.utils import timezone

from wallets import permissions
from wallets.errors import Conflict, Forbidden, InvalidInput
from wallets.keys import secret as secrets
from wallets.models import ApiToken, GatewayKey, Limit, Stop
from wallets.people import checks
from wallets.permissions import Action
from wallets.tenancy import PLATFORM_SCOPE, Actor

C = TypeVar("C", ApiToken, GatewayKey)

OVERLAP = timedelta(hours=24)
LONGEST_OVERLAP = timedelta(days=30)

TOKEN_RIGHTS = (
    *("organization", "user", "service_account", "role", "scopes", "name", "expires_at"),
)
KEY_RIGHTS = (
    *("organization", "team", "consumer_group", "user", "allowed_models", "default_tags"),
    *("name", "expires_at"),
)


@transaction.atomic
def rotate(*, actor: Actor, key: C, overlap: timedelta = OVERLAP) -> tuple[C, str]:
    """Replace a credential by one with the same rights and limits; the old ends after ``overlap``.

    Credentials of a person are rotated by themself only. Raises Conflict (``revoked``, ``expired``,
    ``rotated``, ``stopped``), InvalidInput ``overlap``, Forbidden, NotFound.
    """
    require_manager(actor, key)
    if key.user is not None and actor.user != key.user:
        raise Forbidden("A person's credentials are renewed by themself.", code="not_yours")
    if isinstance(key, ApiToken):
        _require_rights(actor, key)
    if not timedelta() <= overlap <= LONGEST_OVERLAP:
        raise InvalidInput("overlap", f"must be between 0 and {LONGEST_OVERLAP.days} days.")
    old = _locked(key)
    _check_alive(old)
    new = type(key)(**{name: getattr(old, name) for name in _rights(old)})
    secret = secrets.seal(new, _kind(old), actor)
    end = timezone.now() + overlap
    old.replaced_by = new
    old.expires_at = min(old.expires_at, end) if old.expires_at else end
    old.save(update_fields=["replaced_by", "expires_at"])
    if isinstance(old, GatewayKey) and isinstance(new, GatewayKey):
        _copy_limits(old, new)
    checks.written(
        actor,
        old.organization,
        action=f"{_noun(old)}.rotate",
        target=old.public_id,
        after={"replaced_by": new.public_id, "expires_at": old.expires_at},
    )
    return new, secret


@transaction.atomic
def revoke(*, actor: Actor, key: C) -> C:
    """End a credential at once. Done twice it does nothing. Raises Forbidden, NotFound."""
    require_manager(actor, key)
    found = _locked(key)
    if found.revoked_at is None:
        found.revoked_at = timezone.now()
        found.save(update_fields=["revoked_at"])
        checks.written(
            actor, found.organization, action=f"{_noun(found)}.revoke", target=found.public_id
        )
    return found


def require_manager(actor: Actor, key: ApiToken | GatewayKey) -> None:
    """Raise unless the actor owns the credential or manages those of its team or organisation."""
    if isinstance(key, ApiToken):
        permissions.require(
            actor, Action.TOKENS_MANAGE, organization=key.organization, user=key.user
        )
    else:
        permissions.require(
            actor,
            Action.KEYS_MANAGE,
            organization=key.organization,
            team=key.team,
            user=key.user,
        )


def _require_rights(actor: Actor, token: ApiToken) -> None:
    """The new secret must not give the actor more than they have."""
    scopes = frozenset(token.scopes)
    if PLATFORM_SCOPE in scopes and not actor.platform:
        raise Forbidden("You cannot grant rights you do not have.", code="rights_exceeded")
    narrower = not actor.scopes or (
        scopes and all(permissions.covered(scope, actor.scopes) for scope in scopes)
    )
    if not narrower or not permissions.holds_role(
        actor, token.role, organization=token.organization
    ):
        raise Forbidden("You cannot grant rights you do not have.", code="rights_exceeded")


def _locked(key: C) -> C:
    return (
        type(key)
        .objects.select_for_update(no_key=True, of=("self",))
        .select_related("organization")
        .get(pk=key.pk)
    )


def _check_alive(key: ApiToken | GatewayKey) -> None:
    if key.revoked_at is not None:
        raise Conflict("It is revoked: issue a new one.", code="revoked")
    if key.expires_at is not None and key.expires_at <= timezone.now():
        raise Conflict("It has expired: issue a new one.", code="expired")
    if key.replaced_by_id is not None:
        raise Conflict("It has been replaced already: rotate its successor.", code="rotated")
    stops = Stop.objects.filter(
        organization_id=key.organization_id,
        scope=Stop.Scope.KEY,
        target=key.public_id,
        lifted_at=None,
    )
    if stops.exists():
        raise Conflict("It is stopped: resume it first.", code="stopped")


def _rights(key: ApiToken | GatewayKey) -> tuple[str, ...]:
    return TOKEN_RIGHTS if isinstance(key, ApiToken) else KEY_RIGHTS


def _kind(key: ApiToken | GatewayKey) -> str:
    if isinstance(key, ApiToken):
        return secrets.LIVE
    return secrets.GROUP if key.user_id is None else secrets.PERSONAL


def _noun(key: ApiToken | GatewayKey) -> str:
    return "token" if isinstance(key, ApiToken) else "key"


def _copy_limits(old: GatewayKey, new: GatewayKey) -> None:
    """The successor has the same limits and counts together with its predecessors."""
    for limit in Limit.objects.filter(key=old):
        Limit.objects.create(
            organization_id=old.organization_id,
            key=new,
            period=limit.period,
            amount=limit.amount,
            counter=limit.counter or limit.pk,
        )
