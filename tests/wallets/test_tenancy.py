"""How a caller becomes an actor, and what exists for them."""

import pytest

from tests import factories
from tests.wallets.conftest import Company
from wallets import tenancy
from wallets.errors import InvalidInput, NotFound
from wallets.models import ConsumerGroup, Membership


def test_a_person_acts_in_their_first_organization(acme: Company, globex: Company) -> None:
    Membership.objects.create(organization=globex.organization, user=acme.member, role="auditor")
    actor = tenancy.of_user(acme.member)
    assert actor.organization == acme.organization
    assert actor.role == "member"
    assert actor.team_roles == {acme.team.pk: "member"}


def test_a_person_acts_in_another_of_their_organizations(acme: Company, globex: Company) -> None:
    Membership.objects.create(organization=globex.organization, user=acme.member, role="auditor")
    actor = tenancy.of_user(acme.member, organization=globex.organization)
    assert actor.role == "auditor"


def test_a_person_does_not_act_in_a_foreign_organization(acme: Company, globex: Company) -> None:
    with pytest.raises(NotFound):
        tenancy.of_user(acme.admin, organization=globex.organization)


def test_who_acts_in_no_organization_has_no_role_there(acme: Company) -> None:
    root = tenancy.of_user(factories.make_platform_administrator())
    assert (root.organization, root.role, root.platform) == (None, None, True)
    assert root.acting_in(acme.organization).role is None


def test_the_system_acts_everywhere_and_owns_nothing(acme: Company) -> None:
    actor = tenancy.system("cli")
    assert (actor.public_id, actor.user, actor.platform) == ("cli", None, True)
    assert actor.belongs_to(acme.organization)


def test_an_unknown_organization_is_not_found(acme: Company, globex: Company) -> None:
    for public_id in ("org_0", globex.organization.public_id):
        with pytest.raises(NotFound):
            tenancy.resolve_organization(acme.actor("admin"), public_id)


def test_a_token_of_a_person_acts_in_its_organization_only(acme: Company, globex: Company) -> None:
    Membership.objects.create(organization=globex.organization, user=acme.admin, role="admin")
    token = factories.make_token(acme.organization, acme.admin).token
    actor = tenancy.of_token(token)
    assert actor.organization == acme.organization
    with pytest.raises(NotFound):
        tenancy.resolve_organization(actor, globex.organization.public_id)


def test_a_token_shows_the_weaker_of_both_roles(acme: Company) -> None:
    token = factories.make_token(acme.organization, acme.billing, role="admin").token
    assert tenancy.of_token(token).role == "billing_admin"


def test_a_token_of_a_service_account_has_no_person(acme: Company) -> None:
    account = factories.make_service_account(acme.organization, role="auditor")
    token = factories.make_token(acme.organization, service_account=account, role="auditor").token
    actor = tenancy.of_token(token)
    assert (actor.user, actor.role, actor.public_id) == (None, "auditor", token.public_id)


def test_a_superusers_token_is_no_platform_token_by_itself(acme: Company, globex: Company) -> None:
    root = factories.make_platform_administrator()
    actor = tenancy.of_token(factories.make_token(acme.organization, root).token)
    assert actor.organization == acme.organization
    assert not actor.belongs_to(globex.organization)


def test_a_platform_token_must_say_which_organization(acme: Company, globex: Company) -> None:
    root = factories.make_platform_administrator()
    token = factories.make_token(acme.organization, root, scopes=["platform"]).token
    actor = tenancy.of_token(token)
    with pytest.raises(InvalidInput) as refused:
        tenancy.resolve_organization(actor)
    assert refused.value.field == "organization_id"
    found = tenancy.resolve_organization(actor, globex.organization.public_id)
    assert found == globex.organization


def test_the_scope_platform_gives_an_ordinary_owner_nothing(acme: Company, globex: Company) -> None:
    token = factories.make_token(acme.organization, acme.admin, scopes=["platform"]).token
    actor = tenancy.of_token(token)
    assert not actor.platform
    assert not actor.belongs_to(globex.organization)


def test_a_team_is_found_by_its_id_inside_the_organization(acme: Company, globex: Company) -> None:
    assert tenancy.resolve_team(acme.actor("admin"), "team_engineering") == acme.team
    assert tenancy.resolve_team(globex.actor("admin"), "engineering") == globex.team


def test_a_team_of_another_organization_is_not_found(acme: Company, globex: Company) -> None:
    factories.make_team(globex.organization, "secret")
    with pytest.raises(NotFound):
        tenancy.resolve_team(acme.actor("admin"), "team_secret")
    with pytest.raises(NotFound):
        tenancy.resolve_team(acme.actor("admin"), "team_secret", organization=globex.organization)


def test_only_members_are_found_as_users(acme: Company, globex: Company) -> None:
    admin = acme.actor("admin")
    assert tenancy.resolve_user(admin, acme.member.public_id) == acme.member
    with pytest.raises(NotFound):
        tenancy.resolve_user(admin, globex.member.public_id)


def test_rows_with_a_public_id_are_found_in_the_organization_only(
    acme: Company, globex: Company
) -> None:
    own = factories.make_consumer_group(acme.team)
    foreign = factories.make_consumer_group(globex.team)
    rows = ConsumerGroup.objects.all()
    assert tenancy.resolve(acme.actor("admin"), rows, own.public_id) == own
    with pytest.raises(NotFound) as unknown:
        tenancy.resolve(acme.actor("admin"), rows, "grp_0")
    with pytest.raises(NotFound) as other:
        tenancy.resolve(acme.actor("admin"), rows, foreign.public_id)
    assert other.value.message == unknown.value.message.replace("grp_0", foreign.public_id)
