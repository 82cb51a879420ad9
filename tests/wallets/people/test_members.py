"""People, their roles, and what ends when they go."""

import dataclasses

import pytest
from django.utils import timezone

from tests import factories
from tests.wallets.conftest import Company
from wallets import people
from wallets.errors import Conflict, Forbidden, InvalidInput, NotFound, Refused
from wallets.models import AuditRecord, Membership, TeamMembership, User
from wallets.tenancy import Actor


def test_an_admin_makes_a_person(acme: Company) -> None:
    user = people.create_person(
        actor=acme.actor("admin"),
        organization=acme.organization,
        username="ada",
        email="ada@Example.com",
        password="correct horse battery",
        role="billing_admin",
    )
    assert user.check_password("correct horse battery")
    assert (user.email, user.is_staff, user.is_superuser) == ("ada@example.com", True, False)
    assert Membership.objects.get(user=user).role == "billing_admin"


def test_a_person_without_password_cannot_sign_in(acme: Company) -> None:
    user = people.create_person(
        actor=acme.actor("admin"), organization=acme.organization, username="ada"
    )
    assert not user.has_usable_password()
    assert user.is_staff is False


def test_the_audit_log_holds_no_name_and_no_address_of_a_person(acme: Company) -> None:
    people.create_person(
        actor=acme.actor("admin"),
        organization=acme.organization,
        username="ada",
        email="ada@example.com",
    )
    record = AuditRecord.objects.get()
    assert "ada" not in f"{record.target}{record.before}{record.after}"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("username", "no spaces allowed"),
        ("username", ""),
        ("username", "x" * 151),
        ("username", "acme-lead"),
        ("username", "ACME-Lead"),
        ("email", "nowhere"),
        ("email", "ACME-lead@example.com"),
        ("password", "short"),
        ("role", "owner"),
    ],
)
def test_what_cannot_be_used_is_named(acme: Company, field: str, value: str) -> None:
    before = User.objects.count()
    values = {"username": "ada", field: value}
    with pytest.raises(InvalidInput) as refused:
        people.create_person(actor=acme.actor("admin"), organization=acme.organization, **values)
    assert refused.value.field == field
    assert User.objects.count() == before


def test_an_admin_brings_in_nobody_they_do_not_know(acme: Company, globex: Company) -> None:
    with pytest.raises(NotFound):
        people.add_member(
            actor=acme.actor("admin"), organization=acme.organization, user=globex.member
        )


def test_the_platform_brings_anybody_in_once(
    acme: Company, globex: Company, platform: Actor
) -> None:
    people.add_member(
        actor=platform, organization=acme.organization, user=globex.member, role="auditor"
    )
    globex.member.refresh_from_db()
    assert globex.member.is_staff is True
    with pytest.raises(Conflict):
        people.add_member(actor=platform, organization=acme.organization, user=globex.member)


def test_a_new_role_opens_and_closes_the_admin_site(acme: Company) -> None:
    admin = acme.actor("admin")
    for role, staff in (("auditor", True), ("member", False)):
        people.set_role(actor=admin, organization=acme.organization, user=acme.member, role=role)
        acme.member.refresh_from_db()
        assert acme.member.is_staff is staff
    records = [(r.before, r.after) for r in AuditRecord.objects.order_by("pk")]
    assert records == [
        ({"role": "member"}, {"role": "auditor"}),
        ({"role": "auditor"}, {"role": "member"}),
    ]


@pytest.mark.parametrize("name", ["billing", "auditor", "lead", "member"])
def test_only_admins_give_roles(acme: Company, name: str) -> None:
    with pytest.raises(Forbidden):
        people.set_role(
            actor=acme.actor(name), organization=acme.organization, user=acme.member, role="admin"
        )
    assert Membership.objects.get(user=acme.member).role == "member"


def test_the_last_admin_keeps_the_role(acme: Company) -> None:
    with pytest.raises(Conflict) as refused:
        people.set_role(
            actor=acme.actor("admin"),
            organization=acme.organization,
            user=acme.admin,
            role="member",
        )
    assert refused.value.code == "last_admin"
    assert Membership.objects.get(user=acme.admin).role == "admin"


def test_the_last_admin_is_not_removed(acme: Company) -> None:
    with pytest.raises(Conflict):
        people.remove_member(
            actor=acme.actor("admin"), organization=acme.organization, user=acme.admin
        )
    assert Membership.objects.filter(user=acme.admin).exists()


def test_an_admin_goes_when_another_active_one_stays(acme: Company) -> None:
    asleep = factories.make_user(acme.organization, role="admin", is_active=False)
    with pytest.raises(Conflict):
        people.remove_member(
            actor=acme.actor("admin"), organization=acme.organization, user=acme.admin
        )
    User.objects.filter(pk=asleep.pk).update(is_active=True)
    people.remove_member(actor=acme.actor("admin"), organization=acme.organization, user=acme.admin)
    assert not Membership.objects.filter(user=acme.admin).exists()


def test_with_a_member_go_their_teams_keys_and_tokens(acme: Company) -> None:
    key = factories.make_personal_key(acme.team, acme.member).key
    token = factories.make_token(acme.organization, acme.member, role="member").token
    people.remove_member(
        actor=acme.actor("admin"), organization=acme.organization, user=acme.member
    )
    key.refresh_from_db()
    token.refresh_from_db()
    assert key.revoked_at is not None
    assert token.revoked_at is not None
    assert not TeamMembership.objects.filter(user=acme.member).exists()
    assert AuditRecord.objects.get().before == {"role": "member", "teams": ["team_engineering"]}


def test_what_somebody_has_elsewhere_stays(acme: Company, globex: Company) -> None:
    Membership.objects.create(organization=globex.organization, user=acme.member, role="auditor")
    key = factories.make_personal_key(globex.team, acme.member).key
    people.remove_member(
        actor=acme.actor("admin"), organization=acme.organization, user=acme.member
    )
    key.refresh_from_db()
    assert key.revoked_at is None
    assert Membership.objects.get(user=acme.member).organization == globex.organization


def test_a_stranger_is_not_removed(acme: Company, globex: Company) -> None:
    with pytest.raises(NotFound):
        people.remove_member(
            actor=acme.actor("admin"), organization=acme.organization, user=globex.member
        )


def test_a_lead_brings_a_colleague_into_the_own_team(acme: Company) -> None:
    somebody = factories.make_user(acme.organization)
    added = people.add_to_team(actor=acme.actor("lead"), team=acme.team, user=somebody)
    assert (added.role, added.organization) == ("member", acme.organization)


def test_a_lead_appoints_no_lead(acme: Company) -> None:
    with pytest.raises(Forbidden):
        people.add_to_team(actor=acme.actor("lead"), team=acme.team, user=acme.member, role="lead")
    assert TeamMembership.objects.get(user=acme.member).role == "member"


def test_a_lead_unseats_no_lead(acme: Company) -> None:
    other = factories.make_user(acme.organization, lead_of=(acme.team,))
    with pytest.raises(Forbidden):
        people.remove_from_team(actor=acme.actor("lead"), team=acme.team, user=other)
    with pytest.raises(Forbidden):
        people.add_to_team(actor=acme.actor("lead"), team=acme.team, user=other)
    assert TeamMembership.objects.get(user=other).role == "lead"


def test_an_admin_appoints_a_lead(acme: Company) -> None:
    people.add_to_team(actor=acme.actor("admin"), team=acme.team, user=acme.member, role="lead")
    assert TeamMembership.objects.get(user=acme.member).role == "lead"


def test_a_stranger_joins_no_team(acme: Company, globex: Company) -> None:
    with pytest.raises(NotFound):
        people.add_to_team(actor=acme.actor("admin"), team=acme.team, user=globex.member)


def test_nobody_joins_an_archived_team(acme: Company) -> None:
    acme.other_team.archived_at = timezone.now()
    with pytest.raises(Conflict) as refused:
        people.add_to_team(actor=acme.actor("admin"), team=acme.other_team, user=acme.member)
    assert refused.value.code == "team_archived"


def test_joining_twice_is_joining_once(acme: Company) -> None:
    people.add_to_team(actor=acme.actor("admin"), team=acme.team, user=acme.member)
    assert TeamMembership.objects.filter(user=acme.member).count() == 1
    assert not AuditRecord.objects.exists()


def test_who_is_not_in_a_team_does_not_leave_it(acme: Company) -> None:
    with pytest.raises(NotFound):
        people.remove_from_team(actor=acme.actor("admin"), team=acme.team, user=acme.billing)


def test_another_admin_may_be_made(acme: Company) -> None:
    people.set_role(
        actor=acme.actor("admin"), organization=acme.organization, user=acme.billing, role="admin"
    )
    assert Membership.objects.filter(role="admin").count() == 2


def test_a_narrow_token_makes_nobody_admin(acme: Company) -> None:
    narrow = dataclasses.replace(acme.actor("admin"), scopes=frozenset({"members.manage"}))
    with pytest.raises(Forbidden) as refused:
        people.set_role(
            actor=narrow, organization=acme.organization, user=acme.member, role="admin"
        )
    assert refused.value.code == "rights_exceeded"
    assert Membership.objects.get(user=acme.member).role == "member"


def test_leaving_a_team_revokes_the_keys_there_only(acme: Company) -> None:
    here = factories.make_personal_key(acme.team, acme.colleague).key
    there = factories.make_personal_key(acme.other_team, acme.colleague).key
    people.remove_from_team(actor=acme.actor("lead"), team=acme.team, user=acme.colleague)
    here.refresh_from_db()
    there.refresh_from_db()
    assert (here.revoked_at is None, there.revoked_at is None) == (False, True)


@pytest.mark.parametrize("name", ["billing", "auditor", "member"])
def test_nobody_else_changes_a_team(acme: Company, name: str) -> None:
    with pytest.raises(Refused):
        people.remove_from_team(actor=acme.actor(name), team=acme.team, user=acme.colleague)
    assert TeamMembership.objects.filter(team=acme.team, user=acme.colleague).exists()
