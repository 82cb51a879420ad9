"""Dismissing and expiring: tickets end, no money moves."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests import factories
from tests.wallets.conftest import Company
from wallets import tasks, tickets
from wallets.errors import Conflict, InvalidInput
from wallets.models import AuditRecord, CostTicket, Entry, Waiter

pytestmark = [pytest.mark.django_db, pytest.mark.engines]

LONG_AGO = timedelta(hours=24, seconds=1)


def make_old_ticket(company: Company, age: timedelta = LONG_AGO) -> CostTicket:
    wallet = factories.team_wallet(company.other_team)
    return factories.make_ticket(wallet, 1, last_at=timezone.now() - age)


def test_a_dismissal_ends_those_who_wait(acme: Company) -> None:
    wallet = factories.team_wallet(acme.other_team)
    ticket = factories.make_ticket(wallet, 1)
    mine, other = factories.make_waiter(wallet, 1), factories.make_waiter(wallet, 1)
    Waiter.objects.filter(pk=mine.id).update(ticket_id=ticket.pk)
    entries = Entry.objects.count()
    decided = tickets.dismiss(actor=acme.actor("billing"), ticket=ticket, note="no")
    assert (decided.state, decided.note) == ("dismissed", "no")
    assert decided.decided_by == acme.billing.public_id
    assert Waiter.objects.get(pk=mine.id).dismissed is True
    assert Waiter.objects.get(pk=other.id).dismissed is False
    assert Entry.objects.count() == entries
    assert AuditRecord.objects.get().action == "ticket.dismiss"


def test_a_decided_ticket_is_not_dismissed_again(acme: Company) -> None:
    wallet = factories.team_wallet(acme.other_team)
    ticket = factories.make_ticket(wallet, 1)
    tickets.approve(actor=acme.actor("admin"), ticket=ticket)
    asked = factories.make_waiter(wallet, 2)
    Waiter.objects.filter(pk=asked.id).update(ticket_id=ticket.pk)
    with pytest.raises(Conflict, match="approved already"):
        tickets.dismiss(actor=acme.actor("admin"), ticket=ticket)
    assert Waiter.objects.get(pk=asked.id).dismissed is False


def test_a_note_that_is_too_long_is_refused(acme: Company) -> None:
    ticket = factories.make_ticket(factories.team_wallet(acme.team), 1)
    with pytest.raises(InvalidInput):
        tickets.dismiss(actor=acme.actor("admin"), ticket=ticket, note="x" * 501)
    assert CostTicket.objects.get().state == "open"


def test_an_old_ticket_expires_once(acme: Company) -> None:
    ticket = make_old_ticket(acme)
    assert [tasks.expire_tickets(), tasks.expire_tickets()] == [
        "closed 1 cost tickets",
        "closed 0 cost tickets",
    ]
    ticket.refresh_from_db()
    assert (ticket.state, ticket.decided_by) == ("expired", "system")


def test_a_ticket_of_today_stays_open(acme: Company) -> None:
    make_old_ticket(acme, timedelta(hours=23, minutes=59))
    assert tickets.expire() == 0


def test_a_ticket_that_somebody_waits_for_stays_open(acme: Company) -> None:
    ticket = make_old_ticket(acme)
    asked = factories.make_waiter(factories.team_wallet(acme.other_team), 1)
    Waiter.objects.filter(pk=asked.id).update(ticket_id=ticket.pk)
    assert tickets.expire() == 0
    Waiter.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert tickets.expire() == 1
