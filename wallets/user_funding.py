"""A person's wallet in one go: made, limited, and funded from the team wallet."""

from collections.abc import Mapping

from django.db import transaction

from wallets import allocations, people, permissions
from wallets.errors import Conflict, InDebt, InsufficientFunds, KeyReused, Refused
from wallets.ledger import Claimed, Result
from wallets.limits import set_limit
from wallets.models import Claim, Limit, Organization, Team, User, Wallet
from wallets.permissions import Action
from wallets.tenancy import Actor

LIMITS = {"hour": "hourly_limit", "day": "daily_limit", "month": "monthly_limit"}
"""Period → how an input calls its limit."""


def create_funded(
    *,
    actor: Actor,
    team: Team,
    user: User,
    amount: int | None,
    notes: str = "",
    limits: Mapping[str, int],
    draws_on_team: bool = True,
    draw_per_day: int | None = None,
    draw_per_month: int | None = None,
    claim: Claimed | None = None,
) -> tuple[Wallet, Result | None]:
    """Make the wallet with its limits (nano-dollars by period), then allocate ``amount`` to it.

    Money moves in the ledger's own transaction, so the wallet is made before; should the team's
    money have gone in that moment, the empty wallet is taken away again. Raises as
    ``create_user_wallet``, ``set_limit`` and ``allocate`` do.
    """
    organization = team.organization
    earlier = _earlier(organization, team, user, claim)
    if earlier is not None:
        return earlier
    for action, asked in (
        (Action.LIMITS_WRITE, bool(limits)),
        (Action.WALLETS_ALLOCATE, amount is not None),
    ):
        if asked:
            permissions.require(actor, action, organization=organization, team=team, user=user)
    if amount is not None:
        _check_source(team, amount)
    with transaction.atomic():
        wallet = people.create_user_wallet(
            actor=actor, team=team, user=user, draws_on_team=draws_on_team,
            draw_per_day=draw_per_day, draw_per_month=draw_per_month,
        )  # fmt: skip
        _set_limits(actor, limits, team, user)
    if amount is None:
        return wallet, None
    try:
        result = allocations.allocate(
            organization=organization, target=wallet, amount=amount, actor=actor.public_id,
            notes=notes, claim=claim,
        )  # fmt: skip
    except Refused:
        _take_away(wallet)
        raise
    return wallet, result


def _earlier(
    organization: Organization, team: Team, user: User, claim: Claimed | None
) -> tuple[Wallet, Result | None] | None:
    """What an earlier call with the same idempotency key did."""
    if claim is None:
        return None
    stored = Claim.objects.filter(key=claim.key, organization=organization).first()
    if stored is None or stored.result is None:
        return None
    if stored.fingerprint != claim.fingerprint:
        raise KeyReused("This Idempotency-Key was used for a different request.")
    wallet = Wallet.objects.filter(team=team, user=user, scope=Wallet.Scope.USER).first()
    if wallet is None:
        raise Conflict("The wallet this key made is gone.")
    return wallet, Result.replay(stored.result)


def _check_source(team: Team, amount: int) -> None:
    source = Wallet.objects.get(team=team, scope=Wallet.Scope.TEAM)
    if source.debt:
        raise InDebt("The team wallet owes money.", wallet_id=source.pk, debt=source.debt)
    if source.available < amount:
        raise InsufficientFunds(
            "The team wallet does not have that much available.",
            amount=amount, available=source.available, wallet_id=source.pk,
        )  # fmt: skip


def _set_limits(actor: Actor, amounts: Mapping[str, int], team: Team, user: User) -> None:
    for period, amount in amounts.items():
        set_limit(
            organization=team.organization, period=period, amount=amount, actor=actor.public_id,
            team=team, user=user,
        )  # fmt: skip


def _take_away(wallet: Wallet) -> None:
    """A wallet without entries goes as it came; what was audited stays."""
    with transaction.atomic():
        Limit.objects.filter(team=wallet.team, user=wallet.user).delete()
        Wallet.objects.filter(pk=wallet.pk, seq=0).delete()
