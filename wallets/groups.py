"""Consumer groups: named sets of gateway clients whose requests a team pays."""

from contextlib import AbstractContextManager

from django.db import transaction
from django.utils import timezone

from wallets import permissions, stops
from wallets.errors import Conflict
from wallets.models import ConsumerGroup, GatewayKey, Limit, Stop, Team
from wallets.people import checks
from wallets.permissions import Action
from wallets.tenancy import Actor

NAME_LENGTH = 100


@transaction.atomic
def create_group(*, actor: Actor, team: Team, name: str) -> ConsumerGroup:
    """Make a consumer group of a team. Names are unique in the organisation.

    Raises InvalidInput, Conflict (``name_taken``, ``team_archived``), Forbidden, NotFound.
    """
    _require(actor, team)
    if team.archived_at is not None:
        raise Conflict("The team is archived.", code="team_archived")
    name = checks.name(name, most=NAME_LENGTH)
    with _unique(name):
        group = ConsumerGroup.objects.create(organization=team.organization, team=team, name=name)
    checks.written(
        actor,
        team.organization,
        action="consumer_group.create",
        target=group.public_id,
        after={"name": name, "team": team.public_id},
    )
    return group


@transaction.atomic
def rename_group(*, actor: Actor, group: ConsumerGroup, name: str) -> ConsumerGroup:
    """Call a consumer group otherwise; its keys stay.

    Keys that stand in a policy file belong to the group by its name: they would leave behind what
    stops or limits it. Raises as ``create_group`` does, and Conflict (``group_archived``,
    ``group_stopped``, ``group_limited``).
    """
    _require(actor, group.team)
    name = checks.name(name, most=NAME_LENGTH)
    if name != group.name:
        _check_loose(group)
    with _unique(name):
        checks.change(
            actor,
            group.organization,
            group,
            {"name": name},
            action="consumer_group.rename",
            target=group.public_id,
        )
    return group


@transaction.atomic
def archive_group(*, actor: Actor, group: ConsumerGroup) -> ConsumerGroup:
    """End a consumer group and revoke its keys. Done twice it does nothing."""
    _require(actor, group.team)
    group = ConsumerGroup.objects.select_for_update(no_key=True, of=("self",)).get(pk=group.pk)
    if group.archived_at is not None:
        return group
    group.archived_at = timezone.now()
    group.save(update_fields=["archived_at"])
    keys = GatewayKey.objects.filter(consumer_group=group, revoked_at=None)
    revoked = list(keys.values_list("public_id", flat=True))
    keys.update(revoked_at=group.archived_at)
    checks.written(
        actor,
        group.organization,
        action="consumer_group.archive",
        target=group.public_id,
        after={"keys": revoked},
    )
    return group


def _check_loose(group: ConsumerGroup) -> None:
    """Nothing may hang on the name."""
    if group.archived_at is not None:
        raise Conflict("The consumer group is archived.", code="group_archived")
    pulled = stops.in_force(group.organization).filter(
        scope=Stop.Scope.CONSUMER_GROUP, target__in=(group.public_id, group.name)
    )
    if pulled.exists():
        raise Conflict(
            "The consumer group is stopped: keys of a policy file know it by its name. "
            "Resume it, then rename it.",
            code="group_stopped",
        )
    if Limit.objects.filter(consumer_group=group).exists():
        raise Conflict(
            "The consumer group has a limit: keys of a policy file know it by its name. "
            "Remove the limit, rename the group and set the limit again.",
            code="group_limited",
        )


def _require(actor: Actor, team: Team) -> None:
    permissions.require(actor, Action.KEYS_MANAGE, organization=team.organization, team=team)


def _unique(name: str) -> AbstractContextManager[None]:
    return checks.unique(f"There is a consumer group {name} already.", code="name_taken")
