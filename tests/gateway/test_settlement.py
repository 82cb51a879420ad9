"""The ledger thread: batches, faults nobody foresaw, and a queue that is full."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway import events, settlement
from gateway.models import DecisionEvent
from gateway.settlement import Settlement
from keeptrusts.lib import ids
from tests import factories
from tests.gateway.conftest import World
from wallets import ledger
from wallets.errors import LedgerUnavailable
from wallets.ledger import Result
from wallets.models import Reservation

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]


def _run(work: Callable[[Settlement], Coroutine[Any, Any, Any]]) -> Any:
    async def main() -> Any:
        own = Settlement()
        own.start()
        try:
            return await work(own)
        finally:
            await own.close()
            assert not own.alive

    return asyncio.run(main())


def _reserve(world: World, amount: int = 1_000, **fields: Any) -> ledger.Reserve:
    return ledger.Reserve(
        id=ids.uuid7(), organization_id=world.organization.pk, amount=amount,
        candidates=(ledger.Candidate(wallet=factories.ref(world.wallet)),), **fields,
    )  # fmt: skip


def _note(world: World, id: str) -> ledger.Note:
    event = events.Event(
        id=id, organization_id=world.organization.pk, route="/v1/chat/completions",
        verdict="allow", status=200, created_at=datetime.now(UTC),
    )  # fmt: skip
    return ledger.Note(organization_id=world.organization.pk, attachment=event)


def test_what_gathers_is_written_together(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    post = ledger.post

    def counted(operations: Any, **options: Any) -> list[Result]:
        sizes.append(len(operations))
        return post(operations, **options)

    monkeypatch.setattr(settlement.ledger, "post", counted)

    reserves = [_reserve(world) for _ in range(100)]

    async def many(own: Settlement) -> None:
        await asyncio.gather(*(own.submit(reserve) for reserve in reserves))

    _run(many)

    assert sum(sizes) == 100
    assert len(sizes) <= 10
    assert Reservation.objects.count() == 100


def test_a_full_queue_refuses_holds(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settlement, "MAX_WAITING", 3)

    reserves = [_reserve(world) for _ in range(5)]

    async def flood(own: Settlement) -> list[Any]:
        tasks = [own.submit(reserve) for reserve in reserves]
        return await asyncio.gather(*tasks, return_exceptions=True)

    answers = _run(flood)

    assert sum(isinstance(answer, LedgerUnavailable) for answer in answers) == 2
    assert Reservation.objects.count() == 3


def test_an_operation_that_nobody_foresaw_spares_the_others(world: World) -> None:
    good, bad = _note(world, "req_good"), _note(world, "req_bad")
    bad.attachment.usage = {"tokens": object()}

    async def both(own: Settlement) -> list[Any]:
        tasks = [own.submit(operation) for operation in (good, bad)]
        return await asyncio.gather(*tasks, return_exceptions=True)

    answers = _run(both)

    assert answers[0].ok
    assert answers[1].refusal.code == "ledger_fault"
    assert [event.id for event in DecisionEvent.objects.all()] == ["req_good"]


def test_a_reserve_that_is_given_up_is_followed_by_its_refund(world: World) -> None:
    reserve = _reserve(world)

    async def give_up(own: Settlement) -> None:
        task = asyncio.ensure_future(own.submit(reserve))
        await asyncio.sleep(0)
        task.cancel()
        await own.submit(ledger.Refund(id=reserve.id, organization_id=reserve.organization_id))

    _run(give_up)

    assert Reservation.objects.get().state == "refunded"
    assert world.wallet.reserved == 0


def test_closing_writes_what_is_left(world: World) -> None:
    async def leave(own: Settlement) -> None:
        for number in range(50):
            own.post(_note(world, f"req_{number}"))

    _run(leave)

    assert DecisionEvent.objects.count() == 50


def _away_after_commit(monkeypatch: pytest.MonkeyPatch, *, calls: int) -> None:
    """The next ``calls`` batches are committed, but the connection breaks before the answer."""
    post = ledger.post
    left = [calls]

    def breaking(operations: Any, **options: Any) -> list[Result]:
        results = post(operations, **options)
        left[0] -= 1
        if left[0] >= 0:
            raise LedgerUnavailable("The database is away; try again.")
        return results

    monkeypatch.setattr(settlement.ledger, "post", breaking)


def test_a_hold_whose_commit_is_unknown_is_returned(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserve = _reserve(world)
    _away_after_commit(monkeypatch, calls=2)

    async def reserve_once(own: Settlement) -> None:
        with pytest.raises(LedgerUnavailable):
            await own.submit(reserve)

    _run(reserve_once)

    assert Reservation.objects.get().state == "refunded"
    assert world.wallet.reserved == 0


def test_a_connection_that_broke_while_idle_is_no_outage(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserve = _reserve(world)
    _away_after_commit(monkeypatch, calls=1)

    async def reserve_once(own: Settlement) -> Result:
        return await own.submit(reserve)

    assert _run(reserve_once).state == "held"
    assert Reservation.objects.get().state == "held"


def test_a_settle_is_repeated_until_the_database_is_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = factories.hold(world.wallet, "0.01")
    settle = ledger.Settle(id=hold.pk, organization_id=world.organization.pk, cost=500)
    _away_after_commit(monkeypatch, calls=4)

    async def settle_once(own: Settlement) -> Result:
        return await own.submit(settle)

    result = _run(settle_once)

    assert (result.charged, result.replayed) == (500, True)
    assert world.wallet.total_spent == 500
