"""Two organisations with people in every role, for tests of who may do what."""

from dataclasses import dataclass

import pytest

from tests import factories
from wallets import tenancy
from wallets.models import Membership, Organization, Team, User
from wallets.tenancy import Actor


@dataclass
class Company:
    """An organisation with one person per role and two teams; ``lead`` leads the first."""

    organization: Organization
    team: Team
    other_team: Team
    admin: User
    billing: User
    auditor: User
    lead: User
    member: User
    colleague: User

    def actor(self, name: str) -> Actor:
        """The person of that name, acting in this organisation."""
        return tenancy.of_user(getattr(self, name), organization=self.organization)


def make_company(slug: str) -> Company:
    """An organisation whose people carry its slug in their names."""
    organization = factories.make_organization(slug, credit=100)
    team = factories.make_team(organization, "engineering", balance=10)
    other_team = factories.make_team(organization, "support")
    role = Membership.Role

    def person(name: str, role: str, **teams: tuple[Team, ...]) -> User:
        staff = role != Membership.Role.MEMBER
        return factories.make_user(
            organization, f"{slug}-{name}", role=role, is_staff=staff, **teams
        )

    return Company(
        organization=organization,
        team=team,
        other_team=other_team,
        admin=person("admin", role.ADMIN),
        billing=person("billing", role.BILLING_ADMIN),
        auditor=person("auditor", role.AUDITOR),
        lead=person("lead", role.MEMBER, lead_of=(team,)),
        member=person("member", role.MEMBER, member_of=(team,)),
        colleague=person("colleague", role.MEMBER, member_of=(team, other_team)),
    )


@pytest.fixture
def acme(db: None) -> Company:
    """The organisation most tests are about."""
    return make_company("acme")


@pytest.fixture
def globex(db: None) -> Company:
    """A second organisation, of which the first must never learn."""
    return make_company("globex")


@pytest.fixture
def platform(db: None) -> Actor:
    """A platform administrator, member of nothing."""
    return tenancy.of_user(factories.make_platform_administrator("root"))
