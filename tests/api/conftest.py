"""Two organisations with the same slugs, and one caller per role."""

from dataclasses import dataclass

import pytest

from tests import factories
from tests.api.client import Caller
from wallets.models import ConsumerGroup, Entry, Organization, Team, User, Wallet


@dataclass
class World:
    """acme (internal funding, 1000 USD; engineering 200, marketing 0) and its rival beta."""

    acme: Organization
    engineering: Team
    marketing: Team
    lead: User
    member: User
    member_wallet: Wallet
    group: ConsumerGroup
    beta: Organization
    beta_team: Team
    beta_user: User
    callers: dict[str, Caller]

    def wallet(self, team: Team | None = None) -> Wallet:
        """The wallet of a team, or of acme; fresh."""
        if team is None:
            return factories.organization_wallet(self.acme)
        return factories.team_wallet(team)

    def balances(self) -> dict[str, int]:
        """Every wallet's balance, and how many entries there are: to see that nothing changed."""
        found = {wallet.public_id: wallet.balance for wallet in Wallet.objects.all()}
        return {**found, "entries": Entry.objects.count()}


def caller(organization: Organization, user: User, role: str = "admin") -> Caller:
    """A caller with a token of ``user`` that may do all the user may."""
    return Caller(factories.make_token(organization, user, role=role).secret)


@pytest.fixture
def world(db: None) -> World:
    """Fresh organisations, teams, people, tokens."""
    acme = factories.make_organization("acme", credit=1000, funding_mode="internal")
    engineering = factories.make_team(acme, "engineering", balance=200)
    marketing = factories.make_team(acme, "marketing", draws_on_parent=False)
    people = {
        role: factories.make_user(acme, role, role=role)
        for role in ("admin", "billing_admin", "auditor")
    }
    lead = factories.make_user(acme, "lena", lead_of=(engineering,))
    member = factories.make_user(acme, "mia", member_of=(engineering,))
    wallet = factories.make_user_wallet(engineering, member, balance=20)
    group = factories.make_consumer_group(engineering)
    beta = factories.make_organization("beta", credit=500, funding_mode="internal")
    beta_team = factories.make_team(beta, "research", balance=50)
    beta_user = factories.make_user(beta, "bob", role="admin", member_of=(beta_team,))
    root = factories.make_platform_administrator("root")
    callers = {role: caller(acme, user) for role, user in people.items()}
    callers |= {"lead": caller(acme, lead), "member": caller(acme, member)}
    callers |= {"stranger": caller(beta, beta_user), "nobody": Caller(None)}
    platform = factories.make_token(acme, root, role="admin", scopes=["platform"])
    callers["platform"] = Caller(platform.secret)
    return World(
        acme=acme, engineering=engineering, marketing=marketing, lead=lead, member=member,
        member_wallet=wallet, group=group, beta=beta, beta_team=beta_team, beta_user=beta_user,
        callers=callers,
    )  # fmt: skip


@pytest.fixture
def admin(world: World) -> Caller:
    """An organisation admin of acme."""
    return world.callers["admin"]
