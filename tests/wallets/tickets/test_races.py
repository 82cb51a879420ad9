"""Many at once: one ticket an hour, one decision a ticket, and the money moves once."""

from collections.abc import Callable
from threading import Barrier, Thread

import pytest
from django.db import connections

from tests import factories
from tests.factories import nano
from tests.wallets.conftest import Company
from tests.wallets.tickets.shortages import shortage
from wallets import tickets, verification
from wallets.errors import Conflict
from wallets.models import CostTicket, Entry, Reservation, Waiter

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]


def at_once(*works: Callable[[], object]) -> list[object]:
    """What came of works that begin together: an answer or an exception each."""
    together, outcomes = Barrier(len(works)), []

    def work(do: Callable[[], object]) -> None:
        try:
            together.wait(20)
            outcomes.append(do())
        except Exception as error:
            outcomes.append(error)
        finally:
            connections.close_all()

    threads = [Thread(target=work, args=(do,)) for do in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return outcomes


def test_processes_that_record_at_once_fill_the_same_tickets(acme: Company) -> None:
    batches = [
        [shortage(team) for team in teams for _ in range(5)]
        for teams in ((acme.team, acme.other_team), (acme.other_team, acme.team)) * 2
    ]
    outcomes = at_once(*(lambda batch=batch: tickets.record(batch) for batch in batches))
    assert all(isinstance(outcome, list) for outcome in outcomes), outcomes
    found = sorted(CostTicket.objects.values_list("team__slug", "requests"))
    assert found == [("engineering", 20), ("support", 20)]


def test_of_several_who_decide_at_once_one_does(acme: Company) -> None:
    wallet = factories.team_wallet(acme.other_team)
    ticket = factories.make_ticket(wallet, 3)
    asked = [factories.make_waiter(wallet, 3) for _ in range(2)]
    Waiter.objects.filter(pk__in=[one.id for one in asked]).update(ticket_id=ticket.pk)

    def decide(operation: Callable[..., CostTicket]) -> Callable[[], object]:
        mine = tickets.rows(acme.organization).get()
        return lambda: operation(actor=acme.actor("admin"), ticket=mine).state

    outcomes = at_once(*[decide(tickets.approve)] * 3, decide(tickets.dismiss))
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 3, outcomes
    (decided,) = (outcome for outcome in outcomes if isinstance(outcome, str))
    ticket.refresh_from_db()
    assert ticket.state == decided
    moved = 2 if decided == "approved" else 0
    assert Reservation.objects.count() == moved
    assert Entry.objects.filter(wallet=wallet, type="allocation_in").count() == moved // 2
    held = factories.team_wallet(acme.other_team)
    assert (held.reserved, held.balance) == (nano(3 * moved), 0)
    assert verification.verify().problems == []


def test_refusals_go_on_being_recorded_while_their_ticket_is_decided(acme: Company) -> None:
    wallet = factories.team_wallet(acme.other_team)
    refused = [shortage(acme.other_team) for _ in range(10)]
    tickets.record(refused[:2])
    ticket = tickets.rows(acme.organization).get()
    assert ticket.wallet == wallet
    works = [lambda one=one: tickets.record([one]) for one in refused[2:]]
    outcomes = at_once(
        *works, lambda: tickets.approve(actor=acme.actor("admin"), ticket=ticket).state
    )
    assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    counted = CostTicket.objects.values_list("requests", flat=True)
    assert sum(counted) == 10
    assert CostTicket.objects.filter(state="open").count() <= 1
