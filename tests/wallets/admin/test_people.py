"""Organisations, teams and people in the admin."""

import re

from django.test import Client

from keeptrusts.lib import money
from tests import factories
from tests.wallets.admin.confirming import confirm, page, shown
from tests.wallets.admin.conftest import SignIn
from tests.wallets.admin.test_pages import address
from tests.wallets.conftest import Company
from wallets.models import (
    ConsumerGroup,
    Limit,
    Membership,
    Organization,
    Team,
    TeamMembership,
    User,
    Wallet,
)


def test_the_platform_makes_an_organization(root: Client) -> None:
    answer = confirm(
        root,
        page(Organization, "create"),
        slug="initech",
        name="Initech",
        time_zone="UTC",
        funding_mode="prepaid",
    )
    assert answer.headers["Location"] == address(Organization, "changelist")
    assert Wallet.objects.get(organization__slug="initech").balance == 0


def test_an_admin_sees_no_funding_settings(acme: Company, sign_in: SignIn) -> None:
    client = sign_in(acme.admin)
    form = client.get(page(acme.organization, "change")).context["form"]
    assert list(form.fields) == ["name", "time_zone"]
    confirm(client, page(acme.organization, "change"), name="Acme Ltd", time_zone="UTC")
    assert Organization.objects.get().name == "Acme Ltd"


def test_the_platform_changes_funding(root: Client, acme: Company) -> None:
    values = {
        "name": "Acme",
        "time_zone": "UTC",
        "status": "active",
        "funding_mode": "internal",
        "monthly_credit_limit": "250",
    }
    lines = shown(root, page(acme.organization, "change"), **values)
    assert ("Monthly credit limit", "–", "$250.00") in lines
    confirm(root, page(acme.organization, "change"), **values)
    assert Organization.objects.get().monthly_credit_limit == 250 * money.NANO


def test_a_team_is_made_only_with_the_switch_chosen(acme: Company, sign_in: SignIn) -> None:
    client, url = sign_in(acme.admin), page(acme.organization, "create-team")
    refused = client.post(url, {"slug": "ops", "name": "Ops"})
    assert "draws_on_organization" in refused.context["form"].errors
    confirm(client, url, slug="ops", name="Ops", draws_on_organization="no")
    assert Wallet.objects.get(team__slug="ops").draws_on_parent is False


def test_a_person_gets_a_first_password_that_works(
    acme: Company, sign_in: SignIn, client: Client
) -> None:
    answer = confirm(
        sign_in(acme.admin),
        page(acme.organization, "create-person"),
        username="ada",
        email="ada@example.com",
        role="auditor",
    )
    found = re.search(r'class="secret">([^<]+)<', answer.content.decode())
    assert found
    assert User.objects.get(username="ada").check_password(found[1])


def test_a_member_changes_role_and_leaves(acme: Company, sign_in: SignIn) -> None:
    client = sign_in(acme.admin)
    membership = Membership.objects.get(user=acme.member)
    confirm(client, page(membership, "role"), role="auditor")
    membership.refresh_from_db()
    assert membership.role == "auditor"
    answer = confirm(client, page(membership, "remove"))
    assert answer.headers["Location"] == address(Membership, "changelist")
    assert not Membership.objects.filter(user=acme.member).exists()


def test_the_last_admin_is_told_to_stay(acme: Company, sign_in: SignIn) -> None:
    membership = Membership.objects.get(user=acme.admin)
    answer = sign_in(acme.admin).post(
        page(membership, "remove"), {"nonce": "abc", "confirmed": "Confirm"}
    )
    assert "last admin" in str(answer.context["form"].non_field_errors())


def test_a_team_gets_people_wallets_groups_and_a_cost_centre(
    acme: Company, sign_in: SignIn
) -> None:
    client = sign_in(acme.admin)
    confirm(client, page(acme.other_team, "add-member"), user=acme.member.pk, role="lead")
    confirm(client, page(acme.other_team, "user-wallet"), user=acme.member.pk)
    confirm(client, page(acme.other_team, "create-group"), name="bots")
    confirm(client, page(acme.other_team, "cost-centre"), code="CC-7", valid_from="2026-01-01")
    confirm(client, page(acme.other_team, "rename"), name="Helpers")
    team = Team.objects.get(pk=acme.other_team.pk)
    assert team.name == "Helpers"
    assert team.memberships.get(user=acme.member).role == "lead"
    assert Wallet.objects.get(team=team, user=acme.member).draws_on_parent is False
    assert ConsumerGroup.objects.get(team=team).name == "bots"
    assert team.cost_centres.get().code == "CC-7"
    confirm(client, page(team, "archive"))
    assert Team.objects.get(pk=team.pk).archived_at is not None


def test_a_group_is_renamed_limited_and_archived(acme: Company, sign_in: SignIn) -> None:
    client, group = sign_in(acme.admin), factories.make_consumer_group(acme.team)
    key = factories.make_group_key(group).key
    confirm(client, page(group, "rename"), name="bots")
    confirm(client, page(group, "limit"), period="month", amount="7")
    confirm(client, page(key, "limit"), period="hour", amount="1")
    confirm(client, page(group, "archive"))
    group.refresh_from_db()
    assert (group.name, group.archived_at is None) == ("bots", False)
    assert Limit.objects.get(consumer_group=group).amount == 7 * money.NANO
    assert Limit.objects.get(key=key).period == "hour"


def test_a_person_leaves_a_team(acme: Company, sign_in: SignIn) -> None:
    membership = TeamMembership.objects.get(user=acme.member)
    confirm(sign_in(acme.admin), page(membership, "remove"))
    assert not TeamMembership.objects.filter(user=acme.member).exists()
