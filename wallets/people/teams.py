"""Teams: each with a wallet of its own below the organisation's."""

from datetime import date

from django.db import transaction
from django.utils import timezone

from wallets import permissions
from wallets.errors import Conflict
from wallets.models import ConsumerGroup, CostCentre, GatewayKey, Organization, Team, Wallet
from wallets.people import checks
from wallets.people.checks import UNCHANGED, Unchanged
from wallets.permissions import Action
from wallets.tenancy import Actor

CODE_LENGTH = 64


@transaction.atomic
def create_team(
    *,
    actor: Actor,
    organization: Organization,
    slug: str,
    name: str,
    draws_on_organization: bool,
    draw_per_day: int | None = None,
    draw_per_month: int | None = None,
) -> Team:
    """Make a team and its empty wallet.

    ``draws_on_organization`` must be chosen: whether requests the team cannot pay may be paid by
    the organisation wallet, up to the caps (nano-dollars; None: no cap). Raises InvalidInput,
    Conflict (``slug_taken``), Forbidden, NotFound.
    """
    permissions.require(actor, Action.TEAMS_MANAGE, organization=organization)
    team = Team(organization=organization, slug=checks.slug(slug), name=checks.name(name))
    draws = {
        "draws_on_parent": draws_on_organization,
        "draw_per_day": checks.amount(draw_per_day, field="draw_per_day"),
        "draw_per_month": checks.amount(draw_per_month, field="draw_per_month"),
    }
    with checks.unique(f"There is a team {slug} already.", code="slug_taken"):
        team.save()
    above = Wallet.objects.get(organization=organization, scope=Wallet.Scope.ORGANIZATION)
    Wallet.objects.create(
        organization=organization, scope=Wallet.Scope.TEAM, team=team, parent=above, **draws
    )
    checks.written(actor, organization, action="team.create", target=team.public_id, after=draws)
    return team


@transaction.atomic
def change_team(*, actor: Actor, team: Team, name: str | Unchanged = UNCHANGED) -> Team:
    """Change what a team is called. Its slug stays: ids and policy files name it."""
    permissions.require(actor, Action.TEAMS_MANAGE, organization=team.organization, team=team)
    changes = {} if isinstance(name, Unchanged) else {"name": checks.name(name)}
    checks.change(
        actor, team.organization, team, changes, action="team.change", target=team.public_id
    )
    return team


@transaction.atomic
def archive_team(*, actor: Actor, team: Team) -> Team:
    """End a team: its keys are revoked, its consumer groups archived. Done twice it does nothing.

    Raises Conflict (``wallet_not_empty``) while any of its wallets has money, holds or debt.
    """
    permissions.require(actor, Action.TEAMS_MANAGE, organization=team.organization, team=team)
    team = (
        Team.objects.select_for_update(no_key=True).select_related("organization").get(pk=team.pk)
    )
    if team.archived_at is not None:
        return team
    for wallet in Wallet.objects.select_for_update(no_key=True).filter(team=team).order_by("pk"):
        if wallet.posted or wallet.debt:
            raise Conflict(
                f"Wallet {wallet.public_id} is not empty: reclaim its balance first.",
                code="wallet_not_empty",
                wallet=wallet.public_id,
            )
    team.archived_at = timezone.now()
    team.save(update_fields=["archived_at"])
    groups = ConsumerGroup.objects.filter(team=team, archived_at=None)
    keys = GatewayKey.objects.filter(team=team, revoked_at=None)
    ended = {
        "consumer_groups": list(groups.values_list("public_id", flat=True)),
        "keys": list(keys.values_list("public_id", flat=True)),
    }
    groups.update(archived_at=team.archived_at)
    keys.update(revoked_at=team.archived_at)
    checks.written(
        actor, team.organization, action="team.archive", target=team.public_id, after=ended
    )
    return team


@transaction.atomic
def set_cost_centre(*, actor: Actor, team: Team, code: str, valid_from: date) -> CostCentre:
    """Say which cost centre a team's spend belongs to from a day on; a second call replaces it."""
    permissions.require(actor, Action.TEAMS_MANAGE, organization=team.organization, team=team)
    code = checks.name(code, field="code", most=CODE_LENGTH)
    before = CostCentre.objects.filter(team=team, valid_from=valid_from).first()
    centre, _ = CostCentre.objects.update_or_create(
        team=team, valid_from=valid_from, defaults={"code": code}
    )
    checks.written(
        actor,
        team.organization,
        action="team.cost_centre",
        target=team.public_id,
        before={"code": before.code, "valid_from": valid_from} if before else None,
        after={"code": code, "valid_from": valid_from},
    )
    return centre
