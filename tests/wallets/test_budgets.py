"""Budgets: opening balance + in - out; spent by whom, whoever paid."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from tests.factories import (
    hold,
    make_organization,
    make_team,
    nano,
    organization_wallet,
    settle,
    team_wallet,
)
from wallets import allocations, budgets
from wallets.models import Organization, Team

pytestmark = [pytest.mark.django_db]


@pytest.fixture
def organization() -> Organization:
    return make_organization(credit=1000)


@pytest.fixture
def team(organization: Organization) -> Team:
    team = make_team(organization)
    move(team, 500)
    return team


def move(team: Team, dollars: int) -> None:
    allocations.allocate(
        organization=team.organization, target=team_wallet(team), amount=nano(dollars), actor="u"
    )


def test_allocations_raise_the_budget_and_reclaims_lower_it(team: Team) -> None:
    allocations.reclaim(
        organization=team.organization, wallet=team_wallet(team), amount=nano(100), actor="u"
    )
    assert budgets.of_team(team).budget == nano(400)


def test_spending_leaves_the_budget_and_counts_as_spent(team: Team) -> None:
    settle(hold(team_wallet(team), 5, team_id=team.pk), 3)
    found = budgets.of_team(team)
    assert (found.budget, found.spent, found.remaining) == (nano(500), nano(3), nano(497))
    assert found.used_percent == pytest.approx(0.6)


def test_what_the_organization_paid_is_spent_and_shown_beside_it(team: Team) -> None:
    settle(hold(organization_wallet(team.organization), 9, team_id=team.pk), 9)
    found = budgets.of_team(team)
    assert (found.spent, found.drawn_from_organization) == (nano(9), nano(9))
    assert found.budget == nano(500)


def test_without_a_budget_there_is_no_percentage(organization: Organization) -> None:
    assert budgets.of_team(make_team(organization)).used_percent is None


def test_next_month_opens_with_what_was_left(team: Team) -> None:
    settle(hold(team_wallet(team), 20, team_id=team.pk), 20)
    found = budgets.of_team(team, timezone.now() + timedelta(days=31))
    assert (found.budget, found.spent) == (nano(480), 0)


def test_burn_rate_is_the_mean_of_seven_days(team: Team) -> None:
    settle(hold(team_wallet(team), 7, team_id=team.pk), 7)
    assert budgets.of_team(team).burn_rate_per_day == nano(1)


def test_the_month_follows_the_organizations_clock() -> None:
    organization = make_organization(credit=10, time_zone="Pacific/Auckland")
    team = make_team(organization)
    with time_machine.travel("2026-06-30T13:00:00Z"):
        assert budgets.of_team(team).starts_on.isoformat() == "2026-07-01"


def test_statements_do_not_grow_with_teams(
    organization: Organization, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for count in (2, 5):
        for _ in range(count):
            make_team(organization)
        with django_assert_num_queries(7):
            budgets.of_teams(organization)
