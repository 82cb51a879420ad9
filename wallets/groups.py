"""Consumer groups: named sets of gateway clients whose requests a team pays."""

from contextlib import AbstractContextManager

from django.db import transaction
from django.utils import timezone

from wallets import permissions
from wallets.errors import Conflict
from wallets.models import ConsumerGroup, GatewayKey, Team
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
    """Call a consumer group otherwise; its keys stay. Raises as ``create_group`` does."""
    _require(actor, group.team)
    name = checks.name(name, most=NAME_LENGTH)
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


def _require(actor: Actor, team: Team) -> None:
    permissions.require(actor, Action.KEYS_MANAGE, organization=team.organization, team=team)


def _unique(name: str) -> AbstractContextManager[None]:
    return checks.unique(f"There is a consumer group {name} already.", code="name_taken")
