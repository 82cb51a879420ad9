"""Stop switches: what is stopped gets no new request through, within five seconds."""

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from wallets import permissions, tenancy
from wallets.errors import InvalidInput
from wallets.models import ConsumerGroup, GatewayKey, Organization, Stop, Team, User
from wallets.people import checks
from wallets.permissions import Action
from wallets.tenancy import Actor

REASON_LENGTH = 500
TARGET_LENGTH = 200


@transaction.atomic
def stop(
    *,
    actor: Actor,
    organization: Organization,
    scope: str,
    target: str,
    reason: str = "",
    cut: bool = False,
) -> Stop:
    """Pull the switch of a public id, or of a model or provider by name; ``cut`` ends what runs.

    Pulled twice it is one stop; a later ``cut`` is added to it. Raises InvalidInput, Forbidden,
    NotFound (unknown and foreign targets alike).
    """
    target = _require(actor, organization, scope, target)
    if len(reason) > REASON_LENGTH:
        raise InvalidInput("reason", f"must be at most {REASON_LENGTH} characters.")
    # Two at once would otherwise meet in the unique constraint.
    Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    found = in_force(organization).filter(scope=scope, target=target).first()
    if found is not None and (found.cut or not cut):
        return found
    if found is None:
        found = Stop(
            organization=organization,
            scope=scope,
            target=target,
            reason=reason,
            created_by=actor.public_id,
        )
    found.cut = cut
    found.save()
    checks.written(
        actor,
        organization,
        action="stop.pull",
        target=f"{scope}:{target}",
        after={"stop": found.public_id, "cut": cut, "reason": reason},
    )
    return found


@transaction.atomic
def resume(*, actor: Actor, organization: Organization, scope: str, target: str) -> Stop | None:
    """Lift the stop of a target; None when nothing is stopped. Raises as ``stop`` does."""
    target = _require(actor, organization, scope, target)
    Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    found = in_force(organization).filter(scope=scope, target=target).first()
    if found is None:
        return None
    found.lifted_by = actor.public_id
    found.lifted_at = timezone.now()
    found.save(update_fields=["lifted_by", "lifted_at"])
    checks.written(
        actor,
        organization,
        action="stop.lift",
        target=f"{scope}:{target}",
        before={"stop": found.public_id},
    )
    return found


def in_force(organization: Organization) -> QuerySet[Stop]:
    """The stops that hold now, oldest first."""
    return (
        Stop.objects.for_organization(organization)
        .filter(lifted_at__isnull=True)
        .order_by("created_at", "pk")
    )


def _require(actor: Actor, organization: Organization, scope: str, target: str) -> str:
    """Check the target and the right to stop it; answers the target as it is stored.

    Keys and consumer groups belong to who manages the team's keys, a personal key also to its
    owner; everything else to who manages the organisation.
    """
    checks.choice(scope, Stop.Scope, field="scope")
    target = checks.name(target, field="target", most=TARGET_LENGTH)
    if scope in (Stop.Scope.KEY, Stop.Scope.CONSUMER_GROUP):
        team, user = _owner(actor, organization, scope, target)
        permissions.require(
            actor, Action.KEYS_MANAGE, organization=organization, team=team, user=user
        )
        return target
    permissions.require(actor, Action.STOPS_MANAGE, organization=organization)
    if scope == Stop.Scope.TEAM:
        return tenancy.resolve_team(actor, target, organization=organization).public_id
    if scope == Stop.Scope.USER:
        return tenancy.resolve_user(actor, target, organization=organization).public_id
    if scope == Stop.Scope.ORGANIZATION and target != organization.public_id:
        raise InvalidInput("target", f"must be {organization.public_id}, the organisation itself.")
    return target


def _owner(
    actor: Actor, organization: Organization, scope: str, target: str
) -> tuple[Team, User | None]:
    if scope == Stop.Scope.KEY:
        keys = GatewayKey.objects.select_related("team", "user")
        key = tenancy.resolve(actor, keys, target, organization=organization)
        return key.team, key.user
    groups = ConsumerGroup.objects.select_related("team")
    return tenancy.resolve(actor, groups, target, organization=organization).team, None
