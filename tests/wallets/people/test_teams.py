"""Teams and their wallets."""

from datetime import date

import pytest

from keeptrusts.lib import money
from tests import factories
from tests.wallets.conftest import Company
from wallets import people
from wallets.errors import Conflict, Forbidden, InvalidInput, NotFound
from wallets.models import AuditRecord, CostCentre, Team, Wallet


def test_a_team_comes_with_a_wallet_below_the_organizations(acme: Company) -> None:
    team = people.create_team(
        actor=acme.actor("admin"),
        organization=acme.organization,
        slug="research",
        name="Research",
        draws_on_organization=True,
        draw_per_day=5 * money.NANO,
        draw_per_month=50 * money.NANO,
    )
    wallet = Wallet.objects.get(team=team)
    assert wallet.parent == factories.organization_wallet(acme.organization)
    assert (wallet.draws_on_parent, wallet.draw_per_day, wallet.draw_per_month) == (
        True,
        5 * money.NANO,
        50 * money.NANO,
    )
    assert AuditRecord.objects.get().after == {
        "draws_on_parent": True,
        "draw_per_day": "5",
        "draw_per_month": "50",
    }


def test_whether_a_team_draws_on_the_organization_must_be_said(acme: Company) -> None:
    with pytest.raises(TypeError):
        people.create_team(  # type: ignore[call-arg]
            actor=acme.actor("admin"), organization=acme.organization, slug="x", name="X"
        )


def test_a_slug_is_used_once_in_an_organization(acme: Company, globex: Company) -> None:
    with pytest.raises(Conflict):
        make(acme, "engineering")
    assert Team.objects.filter(slug="engineering").count() == 2


def make(company: Company, slug: str, actor: str = "admin") -> Team:
    return people.create_team(
        actor=company.actor(actor),
        organization=company.organization,
        slug=slug,
        name=slug,
        draws_on_organization=False,
    )


@pytest.mark.parametrize("name", ["billing", "auditor", "lead", "member"])
def test_only_admins_make_teams(acme: Company, name: str) -> None:
    with pytest.raises(Forbidden):
        make(acme, "mine", name)
    assert not Team.objects.filter(slug="mine").exists()


def test_a_foreign_admin_makes_no_team(acme: Company, globex: Company) -> None:
    with pytest.raises(NotFound):
        people.create_team(
            actor=acme.actor("admin"),
            organization=globex.organization,
            slug="mine",
            name="Mine",
            draws_on_organization=True,
        )


def test_a_negative_cap_is_refused(acme: Company) -> None:
    with pytest.raises(InvalidInput) as refused:
        people.create_team(
            actor=acme.actor("admin"),
            organization=acme.organization,
            slug="x",
            name="X",
            draws_on_organization=True,
            draw_per_day=-1,
        )
    assert refused.value.field == "draw_per_day"
    assert not Team.objects.filter(slug="x").exists()


def test_a_team_is_renamed(acme: Company) -> None:
    people.change_team(actor=acme.actor("admin"), team=acme.team, name="Engineers")
    acme.team.refresh_from_db()
    assert (acme.team.name, acme.team.slug) == ("Engineers", "engineering")


def test_a_team_with_money_is_not_archived(acme: Company) -> None:
    with pytest.raises(Conflict) as refused:
        people.archive_team(actor=acme.actor("admin"), team=acme.team)
    assert refused.value.code == "wallet_not_empty"
    acme.team.refresh_from_db()
    assert acme.team.archived_at is None


def test_archiving_ends_keys_and_groups(acme: Company) -> None:
    group = factories.make_consumer_group(acme.other_team)
    key = factories.make_group_key(group).key
    archived = people.archive_team(actor=acme.actor("admin"), team=acme.other_team)
    key.refresh_from_db()
    group.refresh_from_db()
    assert archived.archived_at == key.revoked_at == group.archived_at
    assert AuditRecord.objects.get().after == {
        "consumer_groups": [group.public_id],
        "keys": [key.public_id],
    }


def test_archiving_twice_is_archiving_once(acme: Company) -> None:
    first = people.archive_team(actor=acme.actor("admin"), team=acme.other_team)
    again = people.archive_team(actor=acme.actor("admin"), team=acme.other_team)
    assert first.archived_at == again.archived_at
    assert AuditRecord.objects.count() == 1


def test_a_cost_centre_holds_from_a_day_on_and_is_replaced(acme: Company) -> None:
    for code in ("CC-1", "CC-2"):
        people.set_cost_centre(
            actor=acme.actor("admin"), team=acme.team, code=code, valid_from=date(2026, 3, 1)
        )
    centre = CostCentre.objects.get()
    assert (centre.code, centre.valid_from) == ("CC-2", date(2026, 3, 1))
    assert AuditRecord.objects.latest("pk").before == {"code": "CC-1", "valid_from": "2026-03-01"}
