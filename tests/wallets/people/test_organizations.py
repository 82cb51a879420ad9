"""Organisations are made by the platform and named by their admins."""

import pytest

from keeptrusts.lib import money
from tests.wallets.conftest import Company
from wallets import people, revisions
from wallets.errors import Conflict, Forbidden, InvalidInput, Refused
from wallets.models import AuditRecord, Organization, Wallet
from wallets.tenancy import Actor


def test_an_organization_comes_with_an_empty_wallet(platform: Actor) -> None:
    before = revisions.current()
    made = people.create_organization(
        actor=platform,
        slug="acme",
        name="Acme",
        time_zone="Europe/Berlin",
        funding_mode="internal",
        monthly_credit_limit=500 * money.NANO,
    )
    wallet = Wallet.objects.get(organization=made)
    assert (wallet.scope, wallet.balance, wallet.parent) == ("organization", 0, None)
    record = AuditRecord.objects.get()
    assert (record.actor, record.action) == (platform.public_id, "organization.create")
    assert record.after["monthly_credit_limit"] == "500"
    assert revisions.current() == before + 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("slug", "Not A Slug"),
        ("slug", "a" * 64),
        ("slug", "acme\n"),
        ("name", "  "),
        ("time_zone", "Mars/Olympus"),
        ("time_zone", "../../etc/passwd"),
        ("funding_mode", "credit-card"),
        ("monthly_credit_limit", -1),
    ],
)
def test_what_cannot_be_used_is_named(platform: Actor, field: str, value: object) -> None:
    values = {"slug": "acme", "name": "Acme", "funding_mode": "internal", field: value}
    with pytest.raises(InvalidInput) as refused:
        people.create_organization(actor=platform, **values)
    assert refused.value.field == field
    assert not Organization.objects.exists()


def test_a_credit_limit_needs_internal_funding(platform: Actor) -> None:
    with pytest.raises(InvalidInput) as refused:
        people.create_organization(actor=platform, slug="acme", name="Acme", monthly_credit_limit=1)
    assert refused.value.field == "monthly_credit_limit"


def test_a_slug_is_used_once(acme: Company, platform: Actor) -> None:
    with pytest.raises(Conflict) as refused:
        people.create_organization(actor=platform, slug="acme", name="Another")
    assert refused.value.code == "slug_taken"


def test_only_the_platform_makes_organizations(acme: Company) -> None:
    with pytest.raises(Forbidden):
        people.create_organization(actor=acme.actor("admin"), slug="mine", name="Mine")
    assert Organization.objects.count() == 1


def test_an_admin_changes_name_and_time_zone(acme: Company) -> None:
    people.change_organization(
        actor=acme.actor("admin"),
        organization=acme.organization,
        name="Acme Ltd",
        time_zone="Asia/Tokyo",
    )
    found = Organization.objects.get()
    assert (found.name, found.time_zone) == ("Acme Ltd", "Asia/Tokyo")
    record = AuditRecord.objects.get()
    assert record.before == {"name": "Acme", "time_zone": "UTC"}
    assert record.after == {"name": "Acme Ltd", "time_zone": "Asia/Tokyo"}


@pytest.mark.parametrize(
    "change",
    [
        {"funding_mode": "internal"},
        {"monthly_credit_limit": 5},
        {"monthly_credit_limit": None},
        {"status": "closed"},
    ],
)
def test_an_admin_does_not_decide_about_funding(acme: Company, change: dict[str, object]) -> None:
    with pytest.raises(Forbidden):
        people.change_organization(
            actor=acme.actor("admin"), organization=acme.organization, **change
        )
    assert Organization.objects.get().funding_mode == "prepaid"


def test_the_platform_switches_to_internal_funding(acme: Company, platform: Actor) -> None:
    people.change_organization(
        actor=platform,
        organization=acme.organization,
        funding_mode="internal",
        monthly_credit_limit=money.NANO,
    )
    found = Organization.objects.get()
    assert (found.funding_mode, found.monthly_credit_limit) == ("internal", money.NANO)


def test_a_refused_change_leaves_everything_as_it_was(acme: Company, platform: Actor) -> None:
    with pytest.raises(InvalidInput):
        people.change_organization(
            actor=platform, organization=acme.organization, monthly_credit_limit=1
        )
    assert Organization.objects.get().monthly_credit_limit is None
    assert not AuditRecord.objects.exists()


def test_a_change_to_the_same_is_no_change(acme: Company) -> None:
    before = revisions.current()
    people.change_organization(
        actor=acme.actor("admin"), organization=acme.organization, name="Acme"
    )
    assert not AuditRecord.objects.exists()
    assert revisions.current() == before


@pytest.mark.parametrize("name", ["billing", "auditor", "lead", "member"])
def test_nobody_else_changes_an_organization(acme: Company, name: str) -> None:
    with pytest.raises(Refused):
        people.change_organization(
            actor=acme.actor(name), organization=acme.organization, name="Mine"
        )
    assert Organization.objects.get().name == "Acme"
