"""Approving moves the missing money and holds for those who wait, or changes nothing."""

import pytest

from keeptrusts.lib import ids
from tests import factories
from tests.factories import nano
from tests.wallets.conftest import Company
from wallets import ledger, tickets, waiting
from wallets.errors import Conflict, Forbidden, InDebt, InsufficientFunds, InvalidInput, NotFound
from wallets.ledger import Claimed
from wallets.models import AuditRecord, CostTicket, Entry, Reservation, Waiter, Wallet

pytestmark = [pytest.mark.django_db, pytest.mark.engines]


@pytest.fixture
def wallet(acme: Company) -> Wallet:
    """The empty wallet of acme's other team; acme itself has 100 USD."""
    return factories.team_wallet(acme.other_team)


def ticket_with_waiters(wallet: Wallet, *amounts: str) -> tuple[CostTicket, list[ledger.Reserve]]:
    ticket = factories.make_ticket(wallet, 1)
    asked = [factories.make_waiter(wallet, amount) for amount in amounts]
    Waiter.objects.filter(pk__in=[one.id for one in asked]).update(ticket_id=ticket.pk)
    return ticket, asked


def balances(*wallets: Wallet) -> list[int]:
    return [Wallet.objects.get(pk=wallet.pk).balance for wallet in wallets]


def state(company: Company) -> list[object]:
    """Everything an approval may touch."""
    return [
        balances(*Wallet.objects.order_by("pk")),
        Entry.objects.count(),
        Reservation.objects.count(),
        Waiter.objects.count(),
        list(CostTicket.objects.values_list("state", "decided_by", "approved_amount")),
        AuditRecord.objects.count(),
    ]


def test_the_missing_money_comes_down_and_the_waiters_get_their_holds(
    acme: Company, wallet: Wallet
) -> None:
    ticket, asked = ticket_with_waiters(wallet, "3", "4.5")
    decided = tickets.approve(actor=acme.actor("billing"), ticket=ticket, note="go on")
    assert balances(factories.organization_wallet(acme.organization), wallet) == [nano("92.5"), 0]
    assert Wallet.objects.get(pk=wallet.pk).reserved == nano("7.5")
    assert [Reservation.objects.get(pk=one.id).amount for one in asked] == [nano(3), nano("4.5")]
    assert not Waiter.objects.exists()
    assert (decided.state, decided.served, decided.note) == ("approved", 2, "go on")
    assert (decided.approved_amount, decided.decided_by) == (nano("7.5"), acme.billing.public_id)


def test_a_waiter_that_asks_again_finds_its_hold(acme: Company, wallet: Wallet) -> None:
    ticket, (asked,) = ticket_with_waiters(wallet, "3")
    tickets.approve(actor=acme.actor("admin"), ticket=ticket)
    again = ledger.post_one(asked)
    assert (again.replayed, again.state, again.wallet_id) == (True, "held", wallet.pk)


def test_what_is_in_the_wallet_already_is_not_moved_again(acme: Company, wallet: Wallet) -> None:
    ticket, _ = ticket_with_waiters(wallet, "3")
    factories.fund(wallet, 1)
    decided = tickets.approve(actor=acme.actor("admin"), ticket=ticket)
    assert decided.approved_amount == nano(2)


def test_where_nobody_waits_any_more_the_money_stays_for_the_retry(
    acme: Company, wallet: Wallet
) -> None:
    ticket, (asked,) = ticket_with_waiters(wallet, "3")
    CostTicket.objects.update(needed=nano(3))
    waiting.leave([asked.id])
    tickets.approve(actor=acme.actor("admin"), ticket=ticket)
    assert balances(wallet) == [nano(3)]
    assert not Reservation.objects.exists()


def test_a_smaller_amount_serves_the_oldest_first(acme: Company, wallet: Wallet) -> None:
    ticket, asked = ticket_with_waiters(wallet, "3", "3", "1")
    decided = tickets.approve(actor=acme.actor("admin"), ticket=ticket, amount=nano(4))
    assert [Reservation.objects.filter(pk=one.id).exists() for one in asked] == [True, False, False]
    assert (decided.served, balances(wallet)) == (1, [nano(1)])
    assert set(Waiter.objects.values_list("pk", flat=True)) == {asked[1].id, asked[2].id}


def test_a_ticket_stays_open_for_those_whom_the_amount_does_not_serve(
    acme: Company, wallet: Wallet
) -> None:
    ticket, _ = ticket_with_waiters(wallet, "3")
    left = tickets.approve(actor=acme.actor("admin"), ticket=ticket, amount=nano(1))
    standing = tickets.of(CostTicket.objects.select_related("wallet").get())
    assert (left.state, left.approved_amount, left.served) == ("open", nano(1), 0)
    assert (left.decided_at, left.decided_by) == (None, "")
    assert (standing.waiting, standing.missing, balances(wallet)) == (1, nano(2), [nano(1)])
    assert AuditRecord.objects.get(action="ticket.approve").after["state"] == "open"


def test_the_rest_closes_a_ticket_that_stayed_open(acme: Company, wallet: Wallet) -> None:
    ticket, _ = ticket_with_waiters(wallet, "3")
    tickets.approve(actor=acme.actor("admin"), ticket=ticket, amount=nano(1))
    decided = tickets.approve(actor=acme.actor("admin"), ticket=ticket)
    assert (decided.state, decided.approved_amount, decided.served) == ("approved", nano(3), 1)
    assert (balances(wallet), Waiter.objects.exists()) == ([0], False)


def test_nothing_is_moved_where_nothing_is_missing_any_more(acme: Company, wallet: Wallet) -> None:
    ticket = factories.make_ticket(wallet, 1)
    factories.fund(wallet, 5)
    entries = Entry.objects.count()
    decided = tickets.approve(actor=acme.actor("admin"), ticket=ticket)
    assert (decided.state, decided.approved_amount) == ("approved", 0)
    assert Entry.objects.count() == entries


def test_a_parent_that_is_short_changes_nothing(acme: Company, wallet: Wallet) -> None:
    ticket, _ = ticket_with_waiters(wallet, "3", "200")
    before = state(acme)
    with pytest.raises(InsufficientFunds):
        tickets.approve(actor=acme.actor("admin"), ticket=ticket)
    assert state(acme) == before


def test_a_parent_found_short_under_the_lock_changes_nothing(
    acme: Company, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket, _ = ticket_with_waiters(wallet, "3", "200")
    factories.fund(wallet, 3)
    before = state(acme)
    monkeypatch.setattr("wallets.tickets.approving._Approval._check", lambda *_: None)
    with pytest.raises(InsufficientFunds):
        tickets.approve(actor=acme.actor("admin"), ticket=ticket)
    assert state(acme) == before


def test_a_parent_in_debt_changes_nothing(acme: Company, wallet: Wallet) -> None:
    ticket, _ = ticket_with_waiters(wallet, "3")
    ledger.post_one(
        ledger.PaymentRefund(
            organization_id=acme.organization.pk,
            wallet=factories.ref(factories.organization_wallet(acme.organization)),
            amount=nano(150),
            reference="paypal:refund:1",
        )
    )
    before = state(acme)
    with pytest.raises(InDebt):
        tickets.approve(actor=acme.actor("admin"), ticket=ticket)
    assert state(acme) == before


def test_a_ticket_on_the_organization_wallet_can_only_be_topped_up(acme: Company) -> None:
    wallet = factories.organization_wallet(acme.organization)
    ticket = factories.make_ticket(wallet, 1, team=acme.team)
    before = state(acme)
    with pytest.raises(Conflict, match="top it up") as refusal:
        tickets.approve(actor=acme.actor("admin"), ticket=ticket)
    assert refusal.value.code == "top_up_needed"
    assert state(acme) == before


def test_a_decided_ticket_is_not_approved_again(acme: Company, wallet: Wallet) -> None:
    ticket = factories.make_ticket(wallet, 1)
    stale = CostTicket.objects.get()
    tickets.approve(actor=acme.actor("admin"), ticket=ticket)
    before = state(acme)
    for known in (ticket, stale):
        with pytest.raises(Conflict, match="approved already") as refusal:
            tickets.approve(actor=acme.actor("admin"), ticket=known, amount=nano(1))
        assert refusal.value.code == "ticket_closed"
    assert state(acme) == before


def test_the_same_call_again_answers_the_same_and_moves_nothing(
    acme: Company, wallet: Wallet
) -> None:
    ticket, _ = ticket_with_waiters(wallet, "3")
    claim = Claimed(key=ids.public_id("claim"), fingerprint="body")
    first = tickets.approve(actor=acme.actor("admin"), ticket=ticket, claim=claim)
    before = state(acme)
    again = tickets.approve(actor=acme.actor("admin"), ticket=CostTicket.objects.get(), claim=claim)
    assert (again.decided_at, again.approved_amount) == (first.decided_at, nano(3))
    assert state(acme) == before


def test_a_refused_approval_frees_its_key(acme: Company, wallet: Wallet) -> None:
    ticket = factories.make_ticket(wallet, 200)
    claim = Claimed(key=ids.public_id("claim"), fingerprint="body")
    with pytest.raises(InsufficientFunds):
        tickets.approve(actor=acme.actor("admin"), ticket=ticket, claim=claim)
    factories.fund(factories.organization_wallet(acme.organization), 200)
    assert tickets.approve(actor=acme.actor("admin"), ticket=ticket, claim=claim).served == 0
    assert balances(wallet) == [nano(200)]


@pytest.mark.parametrize("amount", [0, -1, 10**17])
def test_an_amount_out_of_bounds_is_refused(acme: Company, wallet: Wallet, amount: int) -> None:
    ticket = factories.make_ticket(wallet, 1)
    with pytest.raises(InvalidInput) as refusal:
        tickets.approve(actor=acme.actor("admin"), ticket=ticket, amount=amount)
    assert refusal.value.field == "amount"


def test_a_lead_decides_what_the_team_wallet_can_cover(acme: Company) -> None:
    own = factories.make_user_wallet(acme.team, acme.member)
    ticket, _ = ticket_with_waiters(own, "4")
    tickets.approve(actor=acme.actor("lead"), ticket=ticket)
    assert balances(factories.team_wallet(acme.team), own) == [nano(6), 0]


@pytest.mark.parametrize("decide", [tickets.approve, tickets.dismiss])
def test_a_lead_does_not_decide_about_the_money_of_the_organization(
    acme: Company, decide: object
) -> None:
    ticket = factories.make_ticket(factories.team_wallet(acme.team), 1)
    before = state(acme)
    with pytest.raises(Forbidden):
        decide(actor=acme.actor("lead"), ticket=ticket)  # type: ignore[operator]
    assert state(acme) == before


@pytest.mark.parametrize("decide", [tickets.approve, tickets.dismiss])
@pytest.mark.parametrize(
    ("who", "refusal"), [("auditor", Forbidden), ("member", Forbidden), ("colleague", NotFound)]
)
def test_who_may_not_decide_is_refused(
    acme: Company, decide: object, who: str, refusal: type[Exception]
) -> None:
    own = factories.make_user_wallet(acme.team, acme.member)
    ticket = factories.make_ticket(own, 1)
    before = state(acme)
    with pytest.raises(refusal):
        decide(actor=acme.actor(who), ticket=ticket)  # type: ignore[operator]
    assert state(acme) == before


@pytest.mark.parametrize("decide", [tickets.approve, tickets.dismiss])
def test_a_stranger_learns_of_no_ticket(acme: Company, globex: Company, decide: object) -> None:
    ticket = factories.make_ticket(factories.team_wallet(acme.team), 1)
    with pytest.raises(NotFound):
        decide(actor=globex.actor("admin"), ticket=ticket)  # type: ignore[operator]


def test_an_approval_is_in_the_audit_log(acme: Company, wallet: Wallet) -> None:
    ticket, _ = ticket_with_waiters(wallet, "3")
    tickets.approve(actor=acme.actor("admin"), ticket=ticket)
    approved = AuditRecord.objects.get(action="ticket.approve")
    assert (approved.target, approved.actor) == (ticket.public_id, acme.admin.public_id)
    assert approved.after == {
        "state": "approved", "amount": "3", "wallet": wallet.public_id, "served": 1, "note": "",
    }  # fmt: skip
    assert AuditRecord.objects.get(action="wallet.allocation").target == wallet.public_id
