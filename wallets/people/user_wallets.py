"""Wallets of people in teams, and the settings of wallets that move no money."""

from collections.abc import Mapping

from django.db import transaction

from wallets import permissions
from wallets.errors import Conflict, InvalidInput
from wallets.models import Team, TeamMembership, User, Wallet
from wallets.people import checks
from wallets.people.checks import UNCHANGED, Unchanged
from wallets.permissions import Action
from wallets.tenancy import Actor


@transaction.atomic
def create_user_wallet(
    *,
    actor: Actor,
    team: Team,
    user: User,
    draws_on_team: bool = True,
    draw_per_day: int | None = None,
    draw_per_month: int | None = None,
) -> Wallet:
    """Give a member of a team an empty wallet below the team's. Fund it with ``allocate``.

    Caps in nano-dollars (None: no cap). Raises InvalidInput ``user_id`` for somebody who is not in
    the team, Conflict (``wallet_exists``), Forbidden, NotFound.
    """
    organization = team.organization
    permissions.require(
        actor, Action.WALLETS_MANAGE, organization=organization, team=team, user=user
    )
    if team.archived_at is not None:
        raise Conflict("The team is archived.", code="team_archived")
    if not TeamMembership.objects.filter(team=team, user=user).exists():
        raise InvalidInput("user_id", "must name a member of the team: add them to it first.")
    draws = {
        "draws_on_parent": draws_on_team,
        "draw_per_day": checks.amount(draw_per_day, field="draw_per_day"),
        "draw_per_month": checks.amount(draw_per_month, field="draw_per_month"),
    }
    above = Wallet.objects.get(team=team, scope=Wallet.Scope.TEAM)
    with checks.unique("This person has a wallet in the team already.", code="wallet_exists"):
        wallet = Wallet.objects.create(
            organization=organization,
            scope=Wallet.Scope.USER,
            team=team,
            user=user,
            parent=above,
            **draws,
        )
    checks.written(
        actor,
        organization,
        action="wallet.create",
        target=wallet.public_id,
        after={"team": team.public_id, "user": user.public_id, **draws},
    )
    return wallet


@transaction.atomic
def set_draws(
    *,
    actor: Actor,
    wallet: Wallet,
    draws_on_parent: bool | Unchanged = UNCHANGED,
    draw_per_day: int | None | Unchanged = UNCHANGED,
    draw_per_month: int | None | Unchanged = UNCHANGED,
) -> Wallet:
    """Say whether, and up to how much, the wallet above pays what this one cannot.

    Nano-dollars per day and month of the organisation (None: no cap). Raises InvalidInput,
    Forbidden, NotFound.
    """
    _require(actor, wallet)
    if wallet.scope == Wallet.Scope.ORGANIZATION:
        raise InvalidInput("wallet_id", "is the organisation wallet: nothing stands above it.")
    changes = checks.given({"draws_on_parent": draws_on_parent})
    if not isinstance(draw_per_day, Unchanged):
        changes["draw_per_day"] = checks.amount(draw_per_day, field="draw_per_day")
    if not isinstance(draw_per_month, Unchanged):
        changes["draw_per_month"] = checks.amount(draw_per_month, field="draw_per_month")
    before = Wallet.objects.select_for_update(no_key=True, of=("self",)).get(pk=wallet.pk)
    if _sets_a_cap(before, changes):
        Wallet.objects.filter(pk=before.pk).update(draw_caps=before.draw_caps + 1)
    return _change(actor, wallet, changes, "wallet.draws")


def _sets_a_cap(before: Wallet, changes: Mapping[str, object]) -> bool:
    """Whether a cap comes where none was: its counter must know what was drawn meanwhile."""
    caps = ("draw_per_day", "draw_per_month")
    return any(getattr(before, name) is None and changes.get(name) is not None for name in caps)


@transaction.atomic
def set_low_threshold(*, actor: Actor, wallet: Wallet, amount: int | None) -> Wallet:
    """Below this balance (nano-dollars) a wallet is *Low*; None: 10 % of the last money in."""
    _require(actor, wallet)
    changes = {"low_threshold": checks.amount(amount, field="low_threshold")}
    return _change(actor, wallet, changes, "wallet.threshold")


def _require(actor: Actor, wallet: Wallet) -> None:
    permissions.require(
        actor,
        Action.WALLETS_MANAGE,
        organization=wallet.organization,
        team=wallet.team,
        user=wallet.user,
    )


def _change(actor: Actor, wallet: Wallet, changes: Mapping[str, object], action: str) -> Wallet:
    row = (
        Wallet.objects.select_for_update(no_key=True, of=("self",))
        .select_related("organization")
        .get(pk=wallet.pk)
    )
    checks.change(actor, row.organization, row, changes, action=action, target=row.public_id)
    return row
