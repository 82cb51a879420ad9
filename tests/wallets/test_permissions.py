"""The table of who may do what, row by row."""

import dataclasses

import pytest

from tests.wallets.conftest import Company
from wallets import permissions, tenancy
from wallets.errors import Forbidden, NotFound
from wallets.models import Organization
from wallets.permissions import Action

ADMIN, BILLING, AUDITOR, LEAD, MEMBER = "admin", "billing", "auditor", "lead", "member"

IN_THE_ORGANIZATION = {
    Action.ORGANIZATION_READ: {ADMIN, BILLING, AUDITOR, LEAD, MEMBER},
    Action.ORGANIZATION_WRITE: {ADMIN},
    Action.PLATFORM_MANAGE: set(),
    Action.WALLETS_READ: {ADMIN, BILLING, AUDITOR},
    Action.WALLETS_CREDIT: {ADMIN, BILLING},
    Action.WALLETS_ALLOCATE: {ADMIN, BILLING},
    Action.WALLETS_RECLAIM: {ADMIN, BILLING},
    Action.WALLETS_ADJUST: {ADMIN, BILLING},
    Action.WALLETS_FREEZE: {ADMIN, BILLING},
    Action.WALLETS_MANAGE: {ADMIN, BILLING},
    Action.BALANCE_READ: {ADMIN, BILLING, AUDITOR},
    Action.LIMITS_READ: {ADMIN, BILLING, AUDITOR},
    Action.LIMITS_WRITE: {ADMIN},
    Action.KEYS_READ: {ADMIN, AUDITOR},
    Action.KEYS_MANAGE: {ADMIN},
    Action.TOKENS_READ: {ADMIN, AUDITOR},
    Action.TOKENS_MANAGE: {ADMIN},
    Action.MEMBERS_READ: {ADMIN, BILLING, AUDITOR},
    Action.MEMBERS_MANAGE: {ADMIN},
    Action.TEAMS_READ: {ADMIN, BILLING, AUDITOR},
    Action.TEAMS_MANAGE: {ADMIN},
    Action.STOPS_READ: {ADMIN, BILLING, AUDITOR},
    Action.STOPS_MANAGE: {ADMIN},
    Action.PRICING_READ: {ADMIN, BILLING, AUDITOR, LEAD, MEMBER},
    Action.PRICING_WRITE: {ADMIN},
    Action.EVENTS_READ: {ADMIN, BILLING, AUDITOR},
    Action.TEXTS_READ: {ADMIN, AUDITOR},
    Action.USAGE_READ: {ADMIN, BILLING, AUDITOR},
    Action.AUDIT_READ: {ADMIN, AUDITOR},
    Action.PAYMENTS_READ: {ADMIN, BILLING, AUDITOR},
    Action.PAYMENTS_CREATE: {ADMIN, BILLING},
    Action.PAYMENTS_REFUND: set(),
    Action.ALERTS_READ: {ADMIN, BILLING, AUDITOR},
    Action.ALERTS_WRITE: {ADMIN, BILLING},
    Action.TICKETS_READ: {ADMIN, BILLING, AUDITOR},
    Action.TICKETS_DECIDE: {ADMIN, BILLING},
    Action.CACHE_PURGE: {ADMIN},
}
LEADS_IN_THEIR_TEAM = {
    *(Action.TEAMS_READ, Action.MEMBERS_READ, Action.MEMBERS_MANAGE, Action.BALANCE_READ),
    *(Action.WALLETS_READ, Action.LIMITS_READ, Action.KEYS_READ, Action.KEYS_MANAGE),
    *(Action.EVENTS_READ, Action.USAGE_READ, Action.STOPS_READ, Action.ALERTS_READ),
    *(Action.ALERTS_WRITE, Action.TICKETS_READ, Action.TICKETS_DECIDE),
    *(Action.ORGANIZATION_READ, Action.PRICING_READ),
}
LEADS_WITH_USER_WALLETS = {
    *(Action.WALLETS_ALLOCATE, Action.WALLETS_RECLAIM, Action.WALLETS_MANAGE, Action.LIMITS_WRITE),
}
MEMBERS_WITH_THEIR_OWN = {
    *(Action.BALANCE_READ, Action.WALLETS_READ, Action.LIMITS_READ, Action.EVENTS_READ),
    *(Action.USAGE_READ, Action.KEYS_READ, Action.KEYS_MANAGE, Action.TOKENS_READ),
    *(Action.TOKENS_MANAGE, Action.MEMBERS_READ, Action.TICKETS_READ, Action.STOPS_READ),
    Action.TEXTS_READ,
    *(Action.ORGANIZATION_READ, Action.PRICING_READ),
}


@pytest.fixture
def internal(acme: Company) -> Company:
    """An organisation that funds itself, so that nothing but roles decides."""
    acme.organization.funding_mode = Organization.FundingMode.INTERNAL
    acme.organization.save()
    return acme


def allowed(company: Company, name: str, **to: object) -> set[Action]:
    """Everything that person may do to ``to``."""
    actor = company.actor(name)
    return {
        action
        for action in Action
        if permissions.allows(actor, action, organization=company.organization, **to)
    }


@pytest.mark.parametrize("action", Action)
def test_every_action_in_the_organization_belongs_to_exactly_these_roles(
    internal: Company, action: Action
) -> None:
    people = (ADMIN, BILLING, AUDITOR, LEAD, MEMBER)
    assert {
        name
        for name in people
        if permissions.allows(internal.actor(name), action, organization=internal.organization)
    } == IN_THE_ORGANIZATION[action]


def test_a_lead_has_these_rights_in_the_own_team(internal: Company) -> None:
    assert allowed(internal, LEAD, team=internal.team) == LEADS_IN_THEIR_TEAM


def test_a_lead_funds_user_wallets_of_the_own_team(internal: Company) -> None:
    rights = allowed(internal, LEAD, team=internal.team, user=internal.member)
    assert rights == LEADS_IN_THEIR_TEAM | LEADS_WITH_USER_WALLETS


def test_a_lead_has_no_rights_in_another_team(internal: Company) -> None:
    rights = allowed(internal, LEAD, team=internal.other_team)
    assert rights == {Action.ORGANIZATION_READ, Action.PRICING_READ}


def test_a_member_has_these_rights_over_what_is_their_own(internal: Company) -> None:
    assert allowed(internal, MEMBER, user=internal.member) == MEMBERS_WITH_THEIR_OWN


def test_a_member_has_no_rights_over_what_is_a_colleagues(internal: Company) -> None:
    rights = allowed(internal, MEMBER, team=internal.team, user=internal.colleague)
    assert rights == {Action.ORGANIZATION_READ, Action.PRICING_READ}


def test_an_auditor_changes_nothing_even_in_a_team_they_lead(internal: Company) -> None:
    internal.team.memberships.filter(user=internal.lead).update(user=internal.auditor)
    for to in ({"team": internal.team}, {"user": internal.auditor}, {}):
        rights = allowed(internal, AUDITOR, **to)
        assert rights == {action for action in Action if action.value.endswith(".read")}


def test_a_platform_administrator_may_do_everything(
    internal: Company, platform: tenancy.Actor
) -> None:
    for action in Action:
        assert permissions.allows(platform, action, organization=internal.organization)


def test_nobody_has_any_right_in_a_foreign_organization(acme: Company, globex: Company) -> None:
    for name in (ADMIN, BILLING, AUDITOR, LEAD, MEMBER):
        for action in Action:
            assert not permissions.allows(
                acme.actor(name), action, organization=globex.organization
            )


def test_a_foreign_team_gives_no_right_in_the_own_organization(
    acme: Company, globex: Company
) -> None:
    assert not permissions.allows(
        acme.actor(ADMIN),
        Action.WALLETS_READ,
        organization=acme.organization,
        team=globex.team,
    )


@pytest.mark.parametrize("action", [Action.WALLETS_CREDIT, Action.PRICING_WRITE])
def test_a_prepaid_organization_neither_credits_nor_prices_itself(
    acme: Company, action: Action
) -> None:
    with pytest.raises(Forbidden) as refused:
        permissions.require(acme.actor(ADMIN), action, organization=acme.organization)
    assert refused.value.code == "funding_mode_prepaid"


def test_what_is_known_is_forbidden_and_what_is_not_is_not_found(
    acme: Company, globex: Company
) -> None:
    manage = Action.TEAMS_MANAGE
    with pytest.raises(Forbidden):
        permissions.require(
            acme.actor(MEMBER), manage, organization=acme.organization, team=acme.team
        )
    with pytest.raises(NotFound):
        permissions.require(
            acme.actor(MEMBER), manage, organization=acme.organization, team=acme.other_team
        )
    with pytest.raises(NotFound):
        permissions.require(acme.actor(ADMIN), manage, organization=globex.organization)


def test_a_token_has_at_most_its_own_role(acme: Company) -> None:
    actor = dataclasses.replace(acme.actor(ADMIN), ceiling="auditor")
    assert permissions.allows(actor, Action.AUDIT_READ, organization=acme.organization)
    assert not permissions.allows(actor, Action.TEAMS_MANAGE, organization=acme.organization)


def test_a_token_has_at_most_the_role_of_its_owner(acme: Company) -> None:
    actor = dataclasses.replace(acme.actor(MEMBER), ceiling="admin")
    assert not permissions.allows(actor, Action.WALLETS_READ, organization=acme.organization)


def test_scopes_narrow_what_a_token_may_do(acme: Company) -> None:
    actor = dataclasses.replace(acme.actor(ADMIN), scopes=frozenset({"wallets.*"}))
    assert permissions.allows(actor, Action.WALLETS_READ, organization=acme.organization)
    assert not permissions.allows(actor, Action.EVENTS_READ, organization=acme.organization)


def test_a_billing_admin_cannot_grant_a_role_that_reads_the_audit_log(acme: Company) -> None:
    billing = acme.actor(BILLING)
    assert permissions.grantable(billing, "member", organization=acme.organization)
    assert not permissions.grantable(billing, "auditor", organization=acme.organization)


def test_a_narrow_token_grants_no_role_that_is_wider(acme: Company) -> None:
    actor = dataclasses.replace(acme.actor(ADMIN), scopes=frozenset({"members.*", "*.read"}))
    assert permissions.grantable(actor, "auditor", organization=acme.organization)
    assert not permissions.grantable(actor, "admin", organization=acme.organization)
    assert permissions.holds_role(actor, "admin", organization=acme.organization)


def test_nobody_grants_a_role_in_a_foreign_organization(acme: Company, globex: Company) -> None:
    admin = acme.actor(ADMIN)
    assert not permissions.grantable(admin, "member", organization=globex.organization)


def test_a_foreign_team_is_not_known_even_to_an_admin(acme: Company, globex: Company) -> None:
    with pytest.raises(NotFound):
        permissions.require(
            acme.actor(ADMIN),
            Action.TEAMS_MANAGE,
            organization=acme.organization,
            team=globex.team,
        )


@pytest.mark.parametrize(
    ("scope", "held", "answer"),
    [
        ("wallets.read", {"wallets.*"}, True),
        ("wallets.*", {"wallets.read"}, False),
        ("*.read", {"wallets.*"}, False),
        ("wallets.read", set(), True),
    ],
)
def test_a_scope_is_covered_when_all_it_names_is(scope: str, held: set[str], answer: bool) -> None:
    assert permissions.covered(scope, frozenset(held)) is answer
