"""Allocate, bulk allocate and reclaim: zero-sum, at once, all or nothing."""

import pytest

from keeptrusts.lib import money
from tests.factories import (
    fund,
    hold,
    make_organization,
    make_team,
    nano,
    organization_wallet,
    team_wallet,
)
from wallets import allocations, ledger
from wallets.errors import InDebt, InsufficientFunds, InvalidInput, NotFound
from wallets.models import AuditRecord, Entry, Organization, Team, Wallet

pytestmark = [pytest.mark.django_db, pytest.mark.engines]


@pytest.fixture
def organization() -> Organization:
    return make_organization(credit=1000)


@pytest.fixture
def team(organization: Organization) -> Team:
    return make_team(organization)


def balances(*wallets: Wallet) -> list[int]:
    return [Wallet.objects.get(pk=wallet.pk).balance for wallet in wallets]


def test_allocate_adds_to_the_team_what_it_takes_from_the_organization(
    organization: Organization, team: Team
) -> None:
    wallet = team_wallet(team)
    for _ in range(2):
        allocations.allocate(
            organization=organization, target=wallet, amount=nano("250.5"), actor="user_x"
        )
    assert balances(organization_wallet(organization), wallet) == [nano(499), nano(501)]
    assert Wallet.objects.get(pk=wallet.pk).total_allocated == nano(501)


def test_both_entries_carry_the_transfer_the_notes_and_the_actor(
    organization: Organization, team: Team
) -> None:
    allocations.allocate(
        organization=organization, target=team_wallet(team), amount=nano(1), actor="user_x",
        notes="April",
    )  # fmt: skip
    out, into = Entry.objects.filter(transfer__isnull=False).order_by("d_posted")
    assert out.transfer == into.transfer
    assert (out.type, out.amount, into.type, into.amount) == (
        "allocation_out", -nano(1), "allocation_in", nano(1),
    )  # fmt: skip
    assert {out.notes, into.notes, out.actor, into.actor} == {"April", "user_x"}


def test_more_than_is_available_is_refused_and_changes_nothing(
    organization: Organization, team: Team
) -> None:
    hold(organization_wallet(organization), 600)
    with pytest.raises(InsufficientFunds) as refusal:
        allocations.allocate(
            organization=organization, target=team_wallet(team), amount=nano(401), actor="user_x"
        )
    assert refusal.value.details["available"] == nano(400)
    assert balances(organization_wallet(organization), team_wallet(team)) == [nano(400), 0]
    assert not AuditRecord.objects.filter(action="wallet.allocation").exists()


def test_bulk_moves_all(organization: Organization, team: Team) -> None:
    other = make_team(organization)
    allocations.allocate_bulk(
        organization=organization, source=organization_wallet(organization), actor="user_x",
        targets=[(team_wallet(team), nano(300)), (team_wallet(other), nano(700))],
    )  # fmt: skip
    assert balances(team_wallet(team), team_wallet(other)) == [nano(300), nano(700)]


def test_bulk_checks_the_total_before_anything_moves(
    organization: Organization, team: Team
) -> None:
    other = make_team(organization)
    with pytest.raises(InsufficientFunds):
        allocations.allocate_bulk(
            organization=organization, source=organization_wallet(organization), actor="user_x",
            targets=[(team_wallet(team), nano(300)), (team_wallet(other), nano("700.000000001"))],
        )  # fmt: skip
    assert balances(team_wallet(team), team_wallet(other)) == [0, 0]


def test_reclaim_returns_at_most_what_is_available(organization: Organization, team: Team) -> None:
    wallet = team_wallet(team)
    fund(wallet, 10)
    hold(wallet, 4)
    with pytest.raises(InsufficientFunds):
        allocations.reclaim(
            organization=organization, wallet=wallet, amount=nano("6.000000001"), actor="user_x"
        )
    allocations.reclaim(organization=organization, wallet=wallet, amount=nano(6), actor="user_x")
    assert balances(wallet, organization_wallet(organization)) == [0, nano(1006)]


def test_reclaim_of_all_takes_everything_but_open_holds(
    organization: Organization, team: Team
) -> None:
    wallet = team_wallet(team)
    fund(wallet, 10)
    hold(wallet, 4)
    result = allocations.reclaim(
        organization=organization, wallet=wallet, amount=None, actor="user_x"
    )
    assert result.amount == nano(6)


def test_reclaim_of_nothing_says_so(organization: Organization, team: Team) -> None:
    with pytest.raises(InsufficientFunds, match="nothing available"):
        allocations.reclaim(
            organization=organization, wallet=team_wallet(team), amount=None, actor="user_x"
        )


def test_an_indebted_source_gives_nothing(organization: Organization, team: Team) -> None:
    source = organization_wallet(organization)
    ledger.post_one(
        ledger.PaymentRefund(
            organization_id=organization.pk,
            wallet=allocations.ref(source),
            amount=nano(1001),
            reference="paypal:refund:1",
        )  # fmt: skip
    )
    with pytest.raises(InDebt):
        allocations.allocate(
            organization=organization, target=team_wallet(team), amount=1, actor="user_x"
        )


def test_a_foreign_wallet_is_unknown(organization: Organization) -> None:
    foreign = team_wallet(make_team(make_organization()))
    with pytest.raises(NotFound):
        allocations.allocate(organization=organization, target=foreign, amount=1, actor="user_x")


def test_money_only_moves_along_the_hierarchy(organization: Organization, team: Team) -> None:
    other = team_wallet(make_team(organization, balance=5))
    with pytest.raises(InvalidInput) as refusal:
        allocations.allocate(
            organization=organization, source=other, target=team_wallet(team), amount=1,
            actor="user_x",
        )  # fmt: skip
    assert refusal.value.field == "from"


@pytest.mark.parametrize("amount", [0, -1, money.nanos(money.MAX_AMOUNT) + 1])
def test_amounts_out_of_bounds_are_refused(
    organization: Organization, team: Team, amount: int
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        allocations.allocate(
            organization=organization, target=team_wallet(team), amount=amount, actor="user_x"
        )
    assert refusal.value.field == "amount"


def test_an_allocation_is_audited_once(organization: Organization, team: Team) -> None:
    allocations.allocate(
        organization=organization, target=team_wallet(team), amount=nano(7), actor="user_x"
    )
    record = AuditRecord.objects.get(action="wallet.allocation")
    assert (record.actor, record.target) == ("user_x", team_wallet(team).public_id)
