"""Money moves from the admin only through confirmed operations on wallets and charges."""

import pytest
from django.test import Client

from keeptrusts.lib import money
from tests import factories
from tests.wallets.admin.confirming import confirm, page, shown
from tests.wallets.admin.conftest import SignIn
from tests.wallets.admin.test_pages import address
from tests.wallets.conftest import Company
from wallets.admin import operation_view
from wallets.models import (
    AuditRecord,
    Entry,
    Organization,
    Reservation,
    User,
    Wallet,
)


def test_a_credit_shows_before_and_after_and_moves_nothing_yet(root: Client, acme: Company) -> None:
    wallet = factories.organization_wallet(acme.organization)
    values = {"amount": "12.5", "notes": "goodwill"}
    lines = shown(root, page(wallet, "credit"), **values)
    assert lines[0] == ("Balance of Acme", "$100.00", "$112.50")
    assert factories.organization_wallet(acme.organization).balance == 100 * money.NANO


def test_a_confirmed_credit_is_an_entry_by_that_person(root: Client, acme: Company) -> None:
    wallet = factories.organization_wallet(acme.organization)
    answer = confirm(root, page(wallet, "credit"), amount="12.5", notes="goodwill")
    assert answer.headers["Location"] == address(Wallet, "change", wallet.pk)
    assert factories.organization_wallet(acme.organization).balance == 112_500_000_000
    entry = Entry.objects.latest("pk")
    assert (entry.type, entry.notes) == ("credit", "goodwill")
    assert entry.actor == User.objects.get(username="root").public_id
    record = AuditRecord.objects.get()
    assert (record.actor, record.address) == (entry.actor, "127.0.0.1")


def test_confirming_twice_credits_once(root: Client, acme: Company) -> None:
    wallet = factories.organization_wallet(acme.organization)
    values = {"amount": "1", "notes": "x", "nonce": "abc", "confirmed": "Confirm"}
    for _ in range(2):
        root.post(page(wallet, "credit"), values)
    assert factories.organization_wallet(acme.organization).balance == 101 * money.NANO


def test_a_prepaid_organization_does_not_credit_itself(acme: Company, sign_in: SignIn) -> None:
    wallet = factories.organization_wallet(acme.organization)
    assert sign_in(acme.admin).get(page(wallet, "credit")).status_code == 403


def test_an_internal_organization_credits_itself(acme: Company, sign_in: SignIn) -> None:
    Organization.objects.update(funding_mode="internal")
    wallet = factories.organization_wallet(acme.organization)
    confirm(sign_in(acme.billing), page(wallet, "credit"), amount="3", notes="budget")
    assert factories.organization_wallet(acme.organization).balance == 103 * money.NANO


@pytest.mark.parametrize("amount", ["NaN", "1e400", "-1", "0", "0.0000000001", "9" * 30, "12,5"])
def test_an_amount_that_is_no_money_is_refused(root: Client, acme: Company, amount: str) -> None:
    wallet = factories.organization_wallet(acme.organization)
    answer = root.post(
        page(wallet, "credit"), {"amount": amount, "notes": "x", "confirmed": "Confirm"}
    )
    assert "amount" in answer.context["form"].errors
    assert factories.organization_wallet(acme.organization).balance == 100 * money.NANO


def test_allocating_shows_both_wallets_and_moves_the_money(acme: Company, sign_in: SignIn) -> None:
    client, wallet = sign_in(acme.billing), factories.team_wallet(acme.team)
    values = {"source": wallet.parent_id, "amount": "40", "notes": "May"}
    assert shown(client, page(wallet, "allocate"), **values)[:2] == [
        ("Balance of Acme", "$100.00", "$60.00"),
        ("Balance of Engineering", "$10.00", "$50.00"),
    ]
    confirm(client, page(wallet, "allocate"), **values)
    assert factories.team_wallet(acme.team).balance == 50 * money.NANO


def test_a_refused_allocation_is_told_and_changes_nothing(acme: Company, sign_in: SignIn) -> None:
    client, wallet = sign_in(acme.billing), factories.team_wallet(acme.team)
    values = {"source": wallet.parent_id, "amount": "100.01", "nonce": "abc"}
    for pressed in ({}, {"confirmed": "Confirm"}):
        answer = client.post(page(wallet, "allocate"), {**values, **pressed})
        assert "lines" not in answer.context
        assert answer.context["form"].errors["amount"] == [
            "The wallet Acme has $100.00 available, not more."
        ]
    assert factories.team_wallet(acme.team).balance == 10 * money.NANO


def test_reclaiming_takes_all_only_when_told(acme: Company, sign_in: SignIn) -> None:
    wallet = factories.team_wallet(acme.team)
    client = sign_in(acme.billing)
    answer = client.post(page(wallet, "reclaim"), {"amount": ""})
    assert "amount" in answer.context["form"].errors
    confirm(client, page(wallet, "reclaim"), everything="on")
    assert factories.team_wallet(acme.team).balance == 0
    assert factories.organization_wallet(acme.organization).balance == 110 * money.NANO


def test_several_wallets_are_frozen_from_the_list(acme: Company, sign_in: SignIn) -> None:
    client = sign_in(acme.billing)
    wallets = [factories.team_wallet(team) for team in (acme.team, acme.other_team)]
    answer = client.post(
        address(Wallet, "changelist"),
        {"action": "freeze", "_selected_action": [wallet.pk for wallet in wallets]},
    )
    confirm(client, answer.headers["Location"], reason="audit")
    assert Wallet.objects.filter(frozen=True).count() == 2
    confirm(client, page(wallets[0], "unfreeze"), reason="")
    assert Wallet.objects.filter(frozen=True).count() == 1


def test_what_changes_nothing_is_not_offered_and_not_done(acme: Company, sign_in: SignIn) -> None:
    client, wallet = sign_in(acme.billing), factories.team_wallet(acme.team)
    labels = [
        item["label"]
        for item in client.get(address(Wallet, "change", wallet.pk)).context["operations"]
    ]
    assert labels == ["Allocate", "Reclaim", "Freeze", "Change draws", "Change low balance"]
    assert client.get(page(wallet, "unfreeze")).status_code == 302


def test_a_charge_is_adjusted(acme: Company, sign_in: SignIn) -> None:
    charge = factories.settle(factories.hold(factories.team_wallet(acme.team), 2), 2)
    client = sign_in(acme.billing)
    values = {"amount": "0.5", "notes": "counted twice"}
    assert shown(client, page(charge, "adjust"), **values)[0] == ("Charge", "$2.00", "$1.50")
    confirm(client, page(charge, "adjust"), **values)
    assert factories.team_wallet(acme.team).balance == 8_500_000_000
    assert Reservation.objects.get(pk=charge.pk).adjusted == -500_000_000


def test_a_wallet_may_draw_up_to_a_cap(acme: Company, sign_in: SignIn) -> None:
    client, wallet = sign_in(acme.billing), factories.team_wallet(acme.team)
    confirm(client, page(wallet, "draws"), draws_on_parent="on", draw_per_day="2.5")
    form = client.get(page(wallet, "draws")).context["form"]
    assert form.initial == {"draws_on_parent": True, "draw_per_day": "2.50", "draw_per_month": ""}
    assert factories.team_wallet(acme.team).draw_per_day == 2_500_000_000


def test_the_low_balance_is_changed(acme: Company, sign_in: SignIn) -> None:
    wallet = factories.team_wallet(acme.team)
    confirm(sign_in(acme.billing), page(wallet, "threshold"), amount="20")
    assert factories.team_wallet(acme.team).status == "low"


def test_too_many_rows_are_not_taken(
    acme: Company, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operation_view, "MOST_ROWS", 1)
    wallets = Wallet.objects.filter(organization=acme.organization)
    answer = sign_in(acme.billing).post(
        address(Wallet, "changelist"),
        {"action": "freeze", "_selected_action": [wallet.pk for wallet in wallets]},
        follow=True,
    )
    assert "Select at most 1 rows." in answer.content.decode()
