"""Refusals become tickets: one per team, wallet and hour, nothing counted twice."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import factories
from tests.factories import nano
from tests.wallets.conftest import Company
from tests.wallets.tickets.shortages import NOON, shortage
from wallets import tickets
from wallets.models import CostTicket, Waiter

pytestmark = [pytest.mark.django_db, pytest.mark.engines]


def test_many_refusals_of_an_hour_are_one_ticket(acme: Company) -> None:
    refused = [
        shortage(acme.team, needed="2", missing="1", at=NOON),
        shortage(acme.team, needed="5", missing="4", at=NOON + timedelta(minutes=5)),
        shortage(acme.team, needed="3", missing="2", at=NOON + timedelta(minutes=9)),
    ]
    answered = tickets.record(refused)
    ticket = CostTicket.objects.get()
    assert answered == [ticket.public_id] * 3
    assert (ticket.requests, ticket.needed, ticket.missing) == (3, nano(5), nano(4))
    assert (ticket.first_at, ticket.last_at) == (NOON, NOON + timedelta(minutes=9))
    assert ticket.hour == NOON.replace(minute=0)
    assert ticket.recent == [one.request_id for one in refused]
    assert (ticket.team, ticket.user, ticket.state) == (acme.team, None, "open")


def test_later_refusals_of_the_hour_are_added(acme: Company) -> None:
    first = tickets.record([shortage(acme.team)])
    later = shortage(acme.team, at=NOON + timedelta(minutes=30), reason_code="other")
    assert tickets.record([later]) == first
    ticket = CostTicket.objects.get()
    assert (ticket.requests, ticket.reason_code) == (2, "other")


def test_the_same_refusals_again_count_nothing(acme: Company) -> None:
    refused = [shortage(acme.team), shortage(acme.team)]
    assert tickets.record(refused) == tickets.record(refused)
    assert CostTicket.objects.get().requests == 2


def test_the_next_hour_has_a_ticket_of_its_own(acme: Company) -> None:
    tickets.record([shortage(acme.team), shortage(acme.team, at=NOON + timedelta(hours=1))])
    assert CostTicket.objects.count() == 2


def test_each_team_and_each_wallet_has_a_ticket_of_its_own(acme: Company) -> None:
    own = factories.make_user_wallet(acme.team, acme.member)
    mine = shortage(acme.team, wallet_id=own.pk, user_id=acme.member.pk)
    tickets.record([shortage(acme.team), shortage(acme.other_team), mine])
    found = {(ticket.team_id, ticket.user_id) for ticket in CostTicket.objects.all()}
    assert found == {
        (acme.team.pk, None),
        (acme.other_team.pk, None),
        (acme.team.pk, acme.member.pk),
    }


def test_after_a_decision_the_next_refusal_opens_another(acme: Company) -> None:
    (first,) = tickets.record([shortage(acme.team)])
    tickets.dismiss(actor=acme.actor("admin"), ticket=CostTicket.objects.get())
    (second,) = tickets.record([shortage(acme.team)])
    assert first != second
    assert [row.requests for row in CostTicket.objects.order_by("pk")] == [1, 1]


def test_a_waiter_is_tied_to_its_ticket(acme: Company) -> None:
    wallet = factories.team_wallet(acme.other_team)
    asked = factories.make_waiter(wallet, 3)
    tickets.record([shortage(acme.other_team, waiter=asked.id)])
    assert Waiter.objects.get(pk=asked.id).ticket_id == CostTicket.objects.get().pk


def test_a_ticket_remembers_the_latest_requests_only(acme: Company) -> None:
    refused = [shortage(acme.team) for _ in range(25)]
    tickets.record(refused)
    ticket = CostTicket.objects.get()
    assert ticket.requests == 25
    assert ticket.recent == [one.request_id for one in refused[5:]]


def test_the_statements_do_not_grow_with_the_refusals(acme: Company) -> None:
    def statements(count: int) -> int:
        refused = [shortage(team) for team in (acme.team, acme.other_team) for _ in range(count)]
        with CaptureQueriesContext(connection) as asked:
            tickets.record(refused)
        return len(asked)

    assert statements(1) == statements(50)
