"""The wallets of a benchmark: one organisation with money, teams with money of their own."""

from dataclasses import dataclass
from typing import Any

DOLLAR = 10**9
EACH = 100_000 * DOLLAR


@dataclass(frozen=True)
class World:
    """References to the organisation wallet and the team wallets."""

    organization_id: int
    top: Any
    teams: list[Any]


def build(*, teams: int) -> World:
    """Migrate the empty database and fill it, in a handful of statements."""
    from django.core.management import call_command

    from wallets import ledger
    from wallets.models import Organization, Wallet

    call_command("migrate", verbosity=0, interactive=False)
    organization = Organization.objects.create(slug="bench", name="Bench")
    top = Wallet.objects.create(organization=organization, scope=Wallet.Scope.ORGANIZATION)
    wallets = _team_wallets(organization, top, teams)
    world = World(
        organization_id=organization.pk,
        top=ledger.Ref(id=top.pk, rank=top.rank),
        teams=[ledger.Ref(id=wallet.pk, rank=wallet.rank) for wallet in wallets],
    )
    _fund(world)
    return world


def _team_wallets(organization: Any, top: Any, count: int) -> list[Any]:
    from wallets.models import Team, Wallet

    teams = Team.objects.bulk_create(
        Team(organization=organization, slug=f"team-{n}", name=f"Team {n}") for n in range(count)
    )
    return Wallet.objects.bulk_create(
        Wallet(organization=organization, scope=Wallet.Scope.TEAM, team=team, parent=top)
        for team in teams
    )


def _fund(world: World) -> None:
    from keeptrusts.lib.ids import uuid7
    from wallets import ledger

    whole = ledger.Credit(
        organization_id=world.organization_id,
        wallet=world.top,
        amount=EACH * (len(world.teams) + 1),
    )
    legs = tuple(ledger.Leg(source=world.top, target=team, amount=EACH) for team in world.teams)
    transfer = ledger.Transfer(organization_id=world.organization_id, id=uuid7(), legs=legs)
    for operation in (whole, transfer):
        ledger.post_one(operation)
