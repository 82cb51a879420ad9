"""Wallets of people in teams, and settings of wallets."""

import pytest
from django.utils import timezone

from keeptrusts.lib import money
from tests import factories
from tests.wallets.conftest import Company
from wallets import people
from wallets.errors import Conflict, Forbidden, InvalidInput, NotFound
from wallets.models import AuditRecord, Wallet


def test_a_lead_gives_a_member_a_wallet_below_the_teams(acme: Company) -> None:
    wallet = people.create_user_wallet(
        actor=acme.actor("lead"),
        team=acme.team,
        user=acme.member,
        draws_on_team=False,
        draw_per_month=money.NANO,
    )
    assert wallet.parent == factories.team_wallet(acme.team)
    assert (wallet.scope, wallet.draws_on_parent, wallet.draw_per_month, wallet.balance) == (
        "user",
        False,
        money.NANO,
        0,
    )


def test_a_person_has_one_wallet_in_a_team(acme: Company) -> None:
    factories.make_user_wallet(acme.team, acme.member)
    with pytest.raises(Conflict) as refused:
        people.create_user_wallet(actor=acme.actor("lead"), team=acme.team, user=acme.member)
    assert refused.value.code == "wallet_exists"


def test_who_is_not_in_the_team_gets_no_wallet(acme: Company) -> None:
    with pytest.raises(InvalidInput) as refused:
        people.create_user_wallet(actor=acme.actor("admin"), team=acme.team, user=acme.billing)
    assert refused.value.field == "user_id"


def test_a_member_makes_no_wallet_of_their_own(acme: Company) -> None:
    with pytest.raises(Forbidden):
        people.create_user_wallet(actor=acme.actor("member"), team=acme.team, user=acme.member)
    assert not Wallet.objects.filter(user=acme.member).exists()


def test_a_lead_of_another_team_finds_no_such_thing(acme: Company) -> None:
    with pytest.raises(NotFound):
        people.create_user_wallet(
            actor=acme.actor("lead"), team=acme.other_team, user=acme.colleague
        )


def test_the_switch_to_the_wallet_above_is_changed_without_touching_money(acme: Company) -> None:
    wallet = factories.team_wallet(acme.team)
    people.set_draws(
        actor=acme.actor("billing"), wallet=wallet, draws_on_parent=False, draw_per_day=7
    )
    found = factories.team_wallet(acme.team)
    assert (found.draws_on_parent, found.draw_per_day) == (False, 7)
    assert found.balance == 10 * money.NANO
    record = AuditRecord.objects.get()
    assert record.before == {"draws_on_parent": True, "draw_per_day": None}
    assert record.after == {"draws_on_parent": False, "draw_per_day": "0.000000007"}


def test_a_lead_does_not_open_the_organization_wallet_to_the_team(acme: Company) -> None:
    with pytest.raises(Forbidden):
        people.set_draws(
            actor=acme.actor("lead"),
            wallet=factories.team_wallet(acme.team),
            draws_on_parent=True,
        )


def test_the_organization_wallet_draws_on_nothing(acme: Company) -> None:
    wallet = factories.organization_wallet(acme.organization)
    with pytest.raises(InvalidInput):
        people.set_draws(actor=acme.actor("admin"), wallet=wallet, draws_on_parent=False)


def test_a_cap_is_changed_by_itself(acme: Company) -> None:
    wallet = factories.team_wallet(acme.team)
    people.set_draws(actor=acme.actor("admin"), wallet=wallet, draw_per_month=9)
    found = factories.team_wallet(acme.team)
    assert (found.draws_on_parent, found.draw_per_day, found.draw_per_month) == (True, None, 9)


def test_an_archived_team_gets_no_user_wallet(acme: Company) -> None:
    acme.team.archived_at = timezone.now()
    with pytest.raises(Conflict):
        people.create_user_wallet(actor=acme.actor("admin"), team=acme.team, user=acme.member)
    assert not Wallet.objects.filter(user=acme.member).exists()


def test_the_low_threshold_decides_what_is_low(acme: Company) -> None:
    wallet = factories.team_wallet(acme.team)
    people.set_low_threshold(actor=acme.actor("billing"), wallet=wallet, amount=11 * money.NANO)
    assert factories.team_wallet(acme.team).status == "low"
    people.set_low_threshold(actor=acme.actor("billing"), wallet=wallet, amount=None)
    assert factories.team_wallet(acme.team).status == "healthy"
