"""What becomes of requests nobody can pay: blocked with a ticket, warned, or only noted."""

import asyncio
from functools import partial
from typing import Any

import pytest

from gateway.models import DecisionEvent, WrittenOff
from keeptrusts.lib import money
from tests import factories
from tests.gateway.conftest import Serve, World
from tests.gateway.serving import eventually
from tests.gateway.waiting.crowds import MODEL, ask_all, poor_team, usage_that_costs, worst_case
from wallets import verification
from wallets.models import CostTicket, Entry, Reservation, Stop

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]


def test_a_refusal_names_its_ticket_and_the_next_one_counts_on_it(
    world: World, serve: Serve
) -> None:
    """Pain 20: the refused caller knows who was told, and where money is put in."""
    hold = worst_case(world)
    poor_team(world, hold - 7)
    gateway = serve()

    first, second = (gateway.chat(world.key, model=MODEL) for _ in range(2))

    ticket = CostTicket.objects.get()
    assert first.error["details"]["ticket"] == ticket.public_id
    assert second.error["details"]["ticket"] == ticket.public_id
    assert first.error["details"]["fund_url"].endswith(f"/wallet/{world.wallet.pk}/change/")
    assert (ticket.needed, ticket.missing) == (hold, 7)
    assert (ticket.team, ticket.wallet_id) == (world.team, world.wallet.pk)
    eventually(lambda: CostTicket.objects.get().requests == 2)


def test_what_there_is_pays_for_a_request_that_is_only_warned(world: World, serve: Serve) -> None:
    poor_team(world, 1_000_000)
    usage, cost = usage_that_costs(16, 110)
    world.upstream.behave(usage=usage)
    gateway = serve(cost_tracking={"on_exhausted": "warn"})

    answer = gateway.chat(world.key, model=MODEL)

    assert (answer.status, answer.headers["x-keeptrusts-cost"]) == (200, money.token(cost))
    event = world.event()
    assert (event.verdict, event.cost, event.written_off) == ("allow", cost, cost - 1_000_000)
    assert event.flags == ["warned"]
    assert (event.hold, event.wallet_id) == (1_000_000, world.wallet.pk)
    assert (world.wallet.posted, world.wallet.total_spent) == (0, 1_000_000)
    eventually(lambda: WrittenOff.objects.get().amount == cost - 1_000_000)
    assert verification.verify().problems == []


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_with_an_empty_wallet_all_of_it_is_written_off(
    world: World, serve: Serve, stream: bool
) -> None:
    poor_team(world, 0)
    usage, cost = usage_that_costs(16, 110)
    world.upstream.behave(usage=usage)
    gateway = serve(cost_tracking={"on_exhausted": "warn"})

    assert gateway.chat(world.key, model=MODEL, stream=stream).status == 200

    event = world.event()
    assert (event.cost, event.written_off, event.wallet_id) == (cost, cost, None)
    assert event.flags == ["warned"]
    assert not Reservation.objects.exists()
    eventually(lambda: WrittenOff.objects.get().amount == cost)


def _written_off(amount: int) -> bool:
    return WrittenOff.objects.get().amount == amount


def test_warned_requests_are_refused_above_the_cap_of_the_day(world: World, serve: Serve) -> None:
    poor_team(world, 0)
    hold = worst_case(world)
    usage, cost = usage_that_costs(16, 110)
    world.upstream.behave(usage=usage)
    cap = float(money.dollars(hold + cost))
    gateway = serve(cost_tracking={"on_exhausted": "warn", "write_off_per_day": cap})

    for spent in (cost, 2 * cost):
        assert gateway.chat(world.key, model=MODEL).status == 200
        eventually(partial(_written_off, spent))
    refused = gateway.chat(world.key, model=MODEL)

    assert (refused.status, refused.error["code"]) == (402, "insufficient_balance")
    event = world.event(verdict="block")
    assert (event.cost, event.flags, event.reason_code) == (None, [], "insufficient_balance")


def test_a_crowd_of_warned_requests_overspends_nothing(world: World, serve: Serve) -> None:
    poor_team(world, 3_000_000)
    usage, cost = usage_that_costs(16, 110)
    world.upstream.behave(usage=usage)
    gateway = serve(cost_tracking={"on_exhausted": "warn"})

    answers = asyncio.run(ask_all(gateway.url, world.key, clients=20, at_once=20))

    assert {answer.status for answer in answers} == {200}
    eventually(lambda: DecisionEvent.objects.count() == 20)
    written_off = sum(DecisionEvent.objects.values_list("written_off", flat=True))
    spent = world.wallet.total_spent
    assert written_off == 20 * cost - spent
    assert (world.wallet.posted, world.wallet.reserved) == (3_000_000 - spent, 0)
    assert verification.verify().problems == []


@pytest.mark.parametrize("on_exhausted", ["warn", "hold"])
def test_limits_refuse_whatever_becomes_of_exhausted_wallets(
    world: World, serve: Serve, on_exhausted: str
) -> None:
    from wallets import limits

    limits.set_limit(
        organization=world.organization, period="day", amount=1, actor="test", team=world.team
    )
    gateway = serve(cost_tracking={"on_exhausted": on_exhausted})

    refused = gateway.chat(world.key, model=MODEL)

    assert (refused.status, refused.error["code"]) == (402, "daily_limit_exceeded")
    assert "waited_ms" not in world.event(verdict="block").details


SHADOW: dict[str, Any] = {"wallet_enforcement": "shadow"}


def test_in_the_shadow_everything_passes_and_nothing_is_held(world: World, serve: Serve) -> None:
    poor_team(world, 5)
    usage, cost = usage_that_costs(16, 110)
    world.upstream.behave(usage=usage)
    gateway = serve(cost_tracking=SHADOW)

    assert gateway.chat(world.key, model=MODEL).status == 200

    event = world.event()
    assert (event.verdict, event.cost, event.wallet_id) == ("allow", cost, None)
    assert "shadow" in event.flags
    assert event.details["shadow"] == {
        "code": "insufficient_balance",
        "wallet": world.wallet.public_id,
        "missing": money.token(worst_case(world) - 5),
    }
    assert world.wallet.posted == 5
    assert not Reservation.objects.exists()
    assert not Entry.objects.filter(type="reserve").exists()


def test_what_would_have_passed_has_no_code(world: World, serve: Serve) -> None:
    gateway = serve(cost_tracking=SHADOW)

    assert gateway.chat(world.key, model=MODEL).status == 200

    assert world.event().details["shadow"] == {
        "hold": money.token(worst_case(world)),
        "wallet": world.wallet.public_id,
    }


def test_a_limit_is_noted_in_the_shadow(world: World, serve: Serve) -> None:
    from wallets import limits

    limits.set_limit(
        organization=world.organization, period="hour", amount=1, actor="test", team=world.team
    )
    gateway = serve(cost_tracking=SHADOW)

    assert gateway.chat(world.key, model=MODEL).status == 200
    assert world.event().details["shadow"] == {"code": "hourly_limit_exceeded"}


def test_stops_refuse_in_the_shadow_too(world: World, serve: Serve) -> None:
    Stop.objects.create(
        organization=world.organization, scope="team", target=world.team.public_id,
        created_by="test",
    )  # fmt: skip
    gateway = serve(cost_tracking=SHADOW)

    assert gateway.chat(world.key, model=MODEL).error["code"] == "stopped"


def test_a_group_has_modes_of_its_own(world: World, serve: Serve) -> None:
    poor_team(world, 0)
    gateway = serve(group={"wallet_enforcement": "shadow"})

    assert gateway.chat(world.key, model=MODEL).status == 200
    assert factories.team_wallet(world.team).posted == 0
