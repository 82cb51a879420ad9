"""``on_exhausted: hold``: requests wait for money that is not there yet."""

import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from keeptrusts.lib import money
from tests import factories
from tests.gateway.conftest import Serve, World
from tests.gateway.serving import Answer, RunningGateway, eventually
from tests.gateway.waiting.crowds import MODEL, poor_team, usage_that_costs, worst_case
from wallets import tenancy, tickets, verification, waiting
from wallets.models import CostTicket, Membership, Waiter

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]

HOLD = {"on_exhausted": "hold", "hold_timeout_seconds": 20.0}


class Held:
    """A poor team behind gateways that hold its requests."""

    def __init__(self, world: World, serve: Serve, *, gateways: int = 1, **changes: object) -> None:
        self.world = world
        self.hold = worst_case(world)
        poor_team(world, 0)
        usage, self.cost = usage_that_costs(16, 110)
        world.upstream.behave(usage=usage)
        self.gateways = [serve(cost_tracking={**HOLD, **changes}) for _ in range(gateways)]
        self._threads = ThreadPoolExecutor(32)

    def ask(self, gateway: RunningGateway | None = None) -> "Future[Answer]":
        """A request that waits, with its ticket."""
        before = Waiter.objects.filter(ticket_id__isnull=False).count()
        asked = self._threads.submit(
            (gateway or self.gateways[0]).chat, self.world.key, model=MODEL
        )
        tied = Waiter.objects.filter(ticket_id__isnull=False)
        eventually(lambda: tied.count() == before + 1, what="it waits and has its ticket")
        return asked


def _answered(future: "Future[Answer]") -> tuple[int, float]:
    began = time.monotonic()
    return future.result(timeout=20).status, time.monotonic() - began


def test_money_that_comes_lets_the_oldest_go_on_within_a_second(world: World, serve: Serve) -> None:
    """Pains 18 and 20: who waits for a top-up need not try again."""
    held = Held(world, serve)
    first, second = held.ask(), held.ask()

    factories.fund(world.wallet, money.dollars(held.hold))

    status, seconds = _answered(first)
    assert (status, seconds < 1.0) == (200, True)
    assert not second.done() or second.result().status == 402
    factories.fund(world.wallet, money.dollars(held.hold))
    assert second.result(timeout=20).status == 200
    assert world.wallet.total_spent == 2 * held.cost
    assert verification.verify().problems == []


def test_its_ticket_shows_that_it_waits(world: World, serve: Serve) -> None:
    held = Held(world, serve)
    asked = held.ask()

    ticket = CostTicket.objects.get()
    standing = tickets.of(ticket)
    assert (ticket.needed, standing.waiting, standing.missing) == (held.hold, 1, held.hold)
    factories.fund(world.wallet, 1)
    assert asked.result(timeout=20).status == 200


def test_at_the_end_of_its_time_it_is_refused_with_its_ticket(world: World, serve: Serve) -> None:
    held = Held(world, serve, hold_timeout_seconds=1.5, contention_wait_seconds=0)

    refused = held.ask().result(timeout=20)

    assert (refused.status, refused.error["code"]) == (402, "insufficient_balance")
    assert refused.error["details"]["ticket"] == CostTicket.objects.get().public_id
    # A loop may wake a millisecond early.
    assert world.event().details["waited_ms"] >= 1_499
    assert not Waiter.objects.exists()


def test_a_dismissed_ticket_refuses_at_once(world: World, serve: Serve) -> None:
    held = Held(world, serve)
    asked = held.ask()

    _dismiss(world)

    status, seconds = _answered(asked)
    assert (status, seconds < 1.0) == (402, True)


def test_a_dismissal_names_the_ticket_it_ended_and_opens_no_other(
    world: World, serve: Serve
) -> None:
    held = Held(world, serve)
    asked = held.ask()

    _dismiss(world)

    refused = asked.result(timeout=20)
    ticket = CostTicket.objects.get()
    assert (refused.error["details"]["ticket"], ticket.state) == (ticket.public_id, "dismissed")
    assert ticket.requests == 1


def _dismiss(world: World) -> None:
    person = factories.make_user(world.organization, role=Membership.Role.ADMIN)
    tickets.dismiss(
        actor=tenancy.of_user(person, organization=world.organization),
        ticket=CostTicket.objects.get(),
    )


def test_an_approval_holds_for_the_one_that_waits(world: World, serve: Serve) -> None:
    held = Held(world, serve)
    asked = held.ask()
    person = factories.make_user(world.organization, role=Membership.Role.ADMIN)

    tickets.approve(
        actor=tenancy.of_user(person, organization=world.organization),
        ticket=CostTicket.objects.get(),
    )

    status, seconds = _answered(asked)
    assert (status, seconds < 1.0) == (200, True)
    assert world.wallet.total_spent == held.cost
    assert CostTicket.objects.get().served == 1


@pytest.mark.postgres_only
def test_two_processes_serve_one_line(world: World, serve: Serve) -> None:
    held = Held(world, serve, gateways=2)
    first = held.ask(held.gateways[1])
    second = held.ask(held.gateways[0])

    factories.fund(world.wallet, money.dollars(held.hold))

    status, seconds = _answered(first)
    assert (status, seconds < 1.0) == (200, True)
    factories.fund(world.wallet, money.dollars(held.hold))
    assert second.result(timeout=20).status == 200


def test_a_place_nobody_renews_blocks_others_no_longer_than_its_lease(
    world: World, serve: Serve
) -> None:
    """As after ``kill -9``: the place of a process that is gone."""
    held = Held(world, serve)
    factories.make_waiter(world.wallet, money.dollars(held.hold))
    began = time.monotonic()
    factories.fund(world.wallet, money.dollars(held.hold))

    answer = held.gateways[0].chat(world.key, model=MODEL)

    assert answer.status == 200
    assert time.monotonic() - began < waiting.LEASE.total_seconds() + 2.0
