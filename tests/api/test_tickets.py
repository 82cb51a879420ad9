"""Cost tickets over the API: who sees which, what they show, and how they are decided."""

from decimal import Decimal

import pytest
from django.urls import reverse

from tests import factories
from tests.api.conftest import World
from tests.factories import nano
from wallets.models import CostTicket, Reservation, Waiter

pytestmark = [pytest.mark.django_db, pytest.mark.engines]


@pytest.fixture
def ticket(world: World) -> CostTicket:
    """marketing is short of 3 USD, and one request waits for them."""
    wallet = world.wallet(world.marketing)
    made = factories.make_ticket(wallet, 3, recent=["req_1"])
    asked = factories.make_waiter(wallet, 3)
    Waiter.objects.filter(pk=asked.id).update(ticket_id=made.pk)
    return made


def test_a_ticket_shows_who_waits_and_what_is_missing(world: World, ticket: CostTicket) -> None:
    body = world.callers["billing_admin"].get(f"cost-tickets/{ticket.public_id}").body
    waiter = Waiter.objects.get()
    assert body.pop("waiting_since") == waiter.since.isoformat().replace("+00:00", "Z")
    assert body.pop("first_at") == body.pop("last_at")
    page = reverse("admin:wallets_wallet_change", args=[ticket.wallet_id])
    assert body.pop("fund_url").endswith(f"//127.0.0.1:8080{page}")
    assert body == {
        "id": ticket.public_id,
        "team_id": "team_marketing",
        "user_id": None,
        "wallet": ticket.wallet.public_id,
        "state": "open",
        "reason": "insufficient_balance",
        "missing": 3,
        "requests": 1,
        "recent_requests": ["req_1"],
        "waiting": 1,
        "decided_by": "",
        "decided_at": None,
        "amount": None,
        "served": 0,
        "note": "",
    }


def test_an_approval_moves_the_money_and_lets_the_waiter_go_on(
    world: World, ticket: CostTicket
) -> None:
    answer = world.callers["billing_admin"].post(
        f"cost-tickets/{ticket.public_id}/approve", {"note": "once"}
    )
    assert answer.status == 200
    assert (answer.body["state"], answer.body["amount"], answer.body["served"]) == (
        "approved",
        3,
        1,
    )
    assert world.wallet(world.marketing).reserved == nano(3)
    assert world.wallet().balance == nano(997)


def test_an_amount_may_be_said(world: World, ticket: CostTicket) -> None:
    world.callers["admin"].post(f"cost-tickets/{ticket.public_id}/approve", {"amount": "10.5"})
    wallet = world.wallet(world.marketing)
    assert (wallet.reserved, wallet.balance) == (nano(3), nano("7.5"))


def test_an_amount_that_is_too_little_leaves_the_ticket_open_with_the_rest(
    world: World, ticket: CostTicket
) -> None:
    path = f"cost-tickets/{ticket.public_id}/approve"
    body = world.callers["admin"].post(path, {"amount": 1}).body
    assert (body["state"], body["missing"], body["waiting"]) == ("open", 2, 1)
    assert (body["amount"], body["served"]) == (1, 0)


def test_an_approval_repeated_with_its_key_answers_the_same_bytes(
    world: World, ticket: CostTicket
) -> None:
    def call() -> str:
        path = f"cost-tickets/{ticket.public_id}/approve"
        return world.callers["admin"].post(path, {"amount": 5}, Idempotency_Key="one").text

    first = call()
    before = world.balances()
    assert call() == first
    assert world.balances() == before


def test_a_key_used_for_another_approval_is_refused(world: World, ticket: CostTicket) -> None:
    path = f"cost-tickets/{ticket.public_id}/approve"
    world.callers["admin"].post(path, {"amount": 5}, Idempotency_Key="one")
    answer = world.callers["admin"].post(path, {"amount": 6}, Idempotency_Key="one")
    assert (answer.status, answer.error["code"]) == (422, "idempotency_key_reused")


def test_a_ticket_on_the_organization_wallet_says_to_top_up(world: World) -> None:
    made = factories.make_ticket(world.wallet(), 1, team=world.engineering)
    answer = world.callers["admin"].post(f"cost-tickets/{made.public_id}/approve", {})
    assert (answer.status, answer.error["code"]) == (409, "top_up_needed")
    assert "top it up" in answer.error["message"]


def test_a_wallet_above_that_is_short_changes_nothing(world: World, ticket: CostTicket) -> None:
    before = world.balances()
    answer = world.callers["admin"].post(
        f"cost-tickets/{ticket.public_id}/approve", {"amount": 5000}
    )
    assert (answer.status, answer.error["code"]) == (402, "insufficient_balance")
    assert world.balances() == before
    assert CostTicket.objects.get().state == "open"


def test_a_dismissal_moves_nothing_and_ends_the_waiters(world: World, ticket: CostTicket) -> None:
    before = world.balances()
    path = f"cost-tickets/{ticket.public_id}/dismiss"
    answer = world.callers["billing_admin"].post(path, {"note": "no budget"})
    assert (answer.status, answer.body["state"], answer.body["waiting"]) == (200, "dismissed", 0)
    assert world.balances() == before
    assert Waiter.objects.get().dismissed is True
    again = world.callers["billing_admin"].post(path, {})
    assert (again.status, again.error["code"]) == (409, "ticket_closed")


def test_everybody_sees_their_own_tickets(world: World, ticket: CostTicket) -> None:
    engineering = factories.make_ticket(world.wallet(world.engineering), 1)
    mine = factories.make_ticket(world.member_wallet, 1)

    def seen(name: str) -> list[str]:
        return [row["id"] for row in world.callers[name].get("cost-tickets").body["results"]]

    everything = [made.public_id for made in (mine, engineering, ticket)]
    assert [seen(name) for name in ("admin", "billing_admin", "auditor")] == [everything] * 3
    assert seen("lead") == everything[:2]
    assert seen("member") == everything[:1]
    assert seen("stranger") == []


def test_filters_by_state_and_team(world: World, ticket: CostTicket) -> None:
    factories.make_ticket(world.wallet(world.engineering), 1)
    admin = world.callers["admin"]
    admin.post(f"cost-tickets/{ticket.public_id}/dismiss", {})
    for query, teams in (
        ({"state": "open"}, ["team_engineering"]),
        ({"state": "dismissed"}, ["team_marketing"]),
        ({"team": "marketing"}, ["team_marketing"]),
        ({"team": "team_marketing", "state": "open"}, []),
    ):
        found = admin.get("cost-tickets", **query).body["results"]
        assert [row["team_id"] for row in found] == teams


@pytest.mark.parametrize("action", ["", "/approve", "/dismiss"])
def test_a_ticket_of_others_is_answered_like_an_unknown_one(
    world: World, ticket: CostTicket, action: str
) -> None:
    for name in ("stranger", "lead", "member"):
        for id in (ticket.public_id, "tkt_unknown"):
            path = f"cost-tickets/{id}{action}"
            answer = world.callers[name].call(
                "POST" if action else "GET", path, {} if action else None
            )
            assert (answer.status, answer.error["message"]) == (
                404,
                f"There is no cost ticket {id}.",
            )
    assert CostTicket.objects.get().state == "open"


def test_an_auditor_reads_and_decides_nothing(world: World, ticket: CostTicket) -> None:
    auditor = world.callers["auditor"]
    assert auditor.get(f"cost-tickets/{ticket.public_id}").status == 200
    for action in ("approve", "dismiss"):
        assert auditor.post(f"cost-tickets/{ticket.public_id}/{action}", {}).status == 403
    assert not Reservation.objects.filter(wallet=ticket.wallet).exists()


def test_a_platform_administrator_decides_anywhere(world: World, ticket: CostTicket) -> None:
    answer = world.callers["platform"].post(
        f"cost-tickets/{ticket.public_id}/approve", {"organization_id": world.acme.public_id}
    )
    assert (answer.status, answer.body["amount"]) == (200, Decimal(3))
