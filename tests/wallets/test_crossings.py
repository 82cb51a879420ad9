"""Levels of budgets are crossed once per month and process crowd, and armed again by money."""

from datetime import UTC, datetime
from threading import Barrier, Thread

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from tests import factories
from tests.factories import nano, team_wallet
from tests.wallets.conftest import Company
from wallets import allocations, crossings
from wallets.models import Crossing, Team

LEVELS = ("50", "80", "95")

db = pytest.mark.django_db


def look(company: Company, *teams: Team, levels: tuple[str, ...] = LEVELS) -> list[str]:
    """Levels that were crossed since the last look, by acme's first team unless told."""
    rows = crossings.look_at_budgets(company.organization, teams or (company.team,), levels)
    return [row.level for row in rows]


def spend(team: Team, dollars: str) -> None:
    factories.spend(team_wallet(team), dollars)


def add(team: Team, dollars: int) -> None:
    allocations.allocate(
        organization=team.organization, target=team_wallet(team), amount=nano(dollars), actor="u"
    )


@db
@pytest.mark.engines
def test_a_level_is_crossed_once(acme: Company) -> None:
    spend(acme.team, "4.999999999")
    assert look(acme) == []
    spend(acme.team, "0.000000001")
    assert [look(acme), look(acme)] == [["50"], []]
    row = Crossing.objects.get()
    assert (row.seq, row.team, row.scope) == (1, acme.team, f"team:{acme.team.pk}")
    assert (row.budget, row.spent, row.rearmed_at) == (nano(10), nano(5), None)


@db
def test_levels_that_are_passed_together_are_all_written_in_order(acme: Company) -> None:
    spend(acme.team, "9.6")
    assert look(acme, levels=("95", "50", "80")) == ["50", "80", "95"]
    assert list(Crossing.objects.values_list("seq", "level").order_by("seq")) == [
        (1, "50"),
        (2, "80"),
        (3, "95"),
    ]


@db
def test_a_level_may_be_a_fraction_of_a_percent(acme: Company) -> None:
    spend(acme.team, "1.25")
    assert look(acme, levels=("12.5", "12.500000001")) == ["12.5"]


@db
@pytest.mark.engines
def test_money_arms_the_level_again(acme: Company) -> None:
    spend(acme.team, "8")
    assert look(acme) == ["50", "80"]
    add(acme.team, 1)
    assert look(acme) == []
    assert Crossing.objects.get(level="80").rearmed_at is not None
    assert Crossing.objects.get(level="50").rearmed_at is None
    spend(acme.team, "1")
    assert look(acme) == ["80"]
    assert Crossing.objects.filter(level="80").count() == 2


@db
def test_another_month_has_crossings_of_its_own(acme: Company) -> None:
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    factories.make_crossing(acme.team, "50", period_start=begun)
    spend(acme.team, "6")
    assert look(acme) == ["50"]
    first, second = Crossing.objects.order_by("seq")
    assert (first.rearmed_at, second.seq) == (None, 2)
    assert second.period_start > begun


@db
def test_a_team_without_a_budget_crosses_nothing(acme: Company) -> None:
    wallet = factories.organization_wallet(acme.organization)
    factories.spend(wallet, 5, team_id=acme.other_team.pk)
    assert look(acme, acme.other_team) == []


@db
def test_each_team_is_looked_at_by_itself(acme: Company) -> None:
    add(acme.other_team, 10)
    spend(acme.other_team, "5")
    assert look(acme, acme.team, acme.other_team) == ["50"]
    assert Crossing.objects.get().team == acme.other_team


@db
def test_readers_follow_the_numbers(acme: Company) -> None:
    spend(acme.team, "9.6")
    look(acme)
    assert [row.level for row in crossings.after(0)] == ["50", "80", "95"]
    assert [row.level for row in crossings.after(1, limit=1)] == ["80"]


@db
def test_a_look_that_finds_nothing_takes_as_many_statements_for_many_teams(acme: Company) -> None:
    def statements(teams: list[Team]) -> int:
        with CaptureQueriesContext(connection) as asked:
            look(acme, *teams)
        return len(asked)

    spend(acme.team, "6")
    look(acme)
    many = [acme.team, acme.other_team, *(factories.make_team(acme.organization) for _ in range(9))]
    assert statements([acme.team]) == statements(many) <= 9


@pytest.mark.engines
@pytest.mark.django_db(transaction=True)
def test_processes_that_look_at_once_write_one_crossing(acme: Company) -> None:
    add(acme.other_team, 10)
    for team in (acme.team, acme.other_team):
        spend(team, "9")
    together, problems = Barrier(4), []

    def process() -> None:
        try:
            together.wait(20)
            look(acme, acme.team, acme.other_team)
        except Exception as error:
            problems.append(error)
        finally:
            connections.close_all()

    threads = [Thread(target=process) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert problems == []
    found = sorted(Crossing.objects.values_list("team__slug", "level"))
    assert found == [
        ("engineering", "50"),
        ("engineering", "80"),
        ("support", "50"),
        ("support", "80"),
    ]
    assert sorted(Crossing.objects.values_list("seq", flat=True)) == [1, 2, 3, 4]
