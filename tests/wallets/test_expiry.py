"""Unused credits leave when they expire."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.factories import (
    hold,
    make_organization,
    make_team,
    nano,
    organization_wallet,
    settle,
    team_wallet,
)
from wallets import allocations, credits, expiry
from wallets.models import CreditLot, Entry, Organization, Wallet

pytestmark = [pytest.mark.django_db, pytest.mark.engines]

SOON = timedelta(days=1)


@pytest.fixture
def organization() -> Organization:
    organization = make_organization(funding_mode="internal")
    credits.credit(
        organization=organization, amount=nano(100), actor="user_x", notes="Promotion",
        by_platform=True, expires_at=timezone.now() + SOON,
    )  # fmt: skip
    return organization


def later() -> int:
    return expiry.expire_credits(now=timezone.now() + 2 * SOON)


def balance(wallet: Wallet) -> int:
    return Wallet.objects.get(pk=wallet.pk).balance


def test_nothing_leaves_before_its_time(organization: Organization) -> None:
    assert expiry.expire_credits() == 0
    assert balance(organization_wallet(organization)) == nano(100)


def test_unused_credit_leaves_and_its_lot_is_closed(organization: Organization) -> None:
    assert later() == nano(100)
    assert balance(organization_wallet(organization)) == 0
    assert CreditLot.objects.get().expired_amount == nano(100)


def test_a_second_run_changes_nothing(organization: Organization) -> None:
    later()
    assert later() == 0
    assert Entry.objects.filter(type="expiry").count() == 1


def test_spent_credit_does_not_expire(organization: Organization) -> None:
    wallet = organization_wallet(organization)
    settle(hold(wallet, 30), 30)
    assert later() == nano(70)


def test_money_on_hold_is_looked_at_again_when_the_hold_closes(organization: Organization) -> None:
    reservation = hold(organization_wallet(organization), 40)
    assert later() == nano(60)
    settle(reservation, 10)
    assert later() == nano(30)
    assert CreditLot.objects.get().expired_amount == nano(90)


def test_allocated_credit_expires_only_after_it_comes_back(organization: Organization) -> None:
    team = make_team(organization)
    wallet = team_wallet(team)
    allocations.allocate(organization=organization, target=wallet, amount=nano(80), actor="user_x")
    assert later() == nano(20)
    allocations.reclaim(organization=organization, wallet=wallet, amount=nano(50), actor="user_x")
    assert later() == nano(50)
    assert balance(wallet) == nano(30)


def test_money_without_expiry_stays(organization: Organization) -> None:
    credits.credit(
        organization=organization, amount=nano(5), actor="user_x", notes="Gift", by_platform=True
    )
    later()
    assert balance(organization_wallet(organization)) == nano(5)
