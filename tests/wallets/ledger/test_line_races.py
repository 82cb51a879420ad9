"""Lines before wallets under real commits: exact counts, strict order, no deadlock."""

import threading
from collections import Counter
from collections.abc import Callable
from uuid import UUID

import pytest

from keeptrusts.lib.ids import uuid7
from tests.wallets.ledger.racing import THREADS, Witness, race
from tests.wallets.ledger.test_line import CONTENTION, has_waited, post
from tests.wallets.ledger.world import Tenant, broken_invariants, codes
from wallets import ledger, waiting
from wallets.errors import LedgerUnavailable
from wallets.ledger import Operation, Result, Waiting
from wallets.models import Entry, Reservation, Waiter

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.engines]

PATIENT = Waiting(reasons=frozenset({"contention"}), lease=CONTENTION.lease * 60)
"""A lease no slow machine outlives."""
TURNS = 2_000
"""More often than this nobody needs to ask."""


def posting(*operations: Operation) -> Callable[[], list[str]]:
    return lambda: codes(ledger.post(operations))


def decided(operation: Operation) -> Result:
    """The ledger's answer, asked for again where it says that it is too busy to decide."""
    for _ in range(TURNS):
        result = ledger.post([operation])[0]
        if not isinstance(result.refusal, LedgerUnavailable):
            return result
    raise AssertionError("never decided")


def admitted(tenant: Tenant, operation: Operation) -> int:
    """Ask until it is let in; how often it had to wait."""
    for asked in range(TURNS):
        result = decided(operation)
        if not result.waits:
            assert result.ok, result.refusal
            return asked
    raise AssertionError("never let in")


def test_promise_15_k_at_a_time_and_everybody_in_the_end(tenant: Tenant) -> None:
    tenant.fund(team=3 * 7 + 6)
    at_once: list[int] = []

    def work() -> int:
        operation = tenant.reserve(7, waiting=PATIENT)
        waited = admitted(tenant, operation)
        at_once.append(tenant.numbers("team")[1] // 7)
        decided(tenant.settle(operation.id, 0)).unwrap()
        return waited

    race([work] * THREADS)
    assert max(at_once) <= 3
    assert tenant.numbers("team") == (27, 0, 0)
    assert Reservation.objects.filter(state="settled").count() == THREADS
    assert Waiter.objects.count() == 0


def test_promise_15_exactly_k_are_let_in_and_the_rest_wait(tenant: Tenant) -> None:
    tenant.fund(team=10 * 7 + 6)
    calls = [posting(tenant.reserve(7, waiting=PATIENT)) for _ in range(2 * THREADS)]
    answers = Counter(code for codes in race(calls) for code in codes)
    assert answers == {"ok": 10, "waiting": 22}
    assert tenant.numbers("team") == (76, 70, 0)
    assert len(tenant.line()) == 22


def test_equals_are_served_in_the_order_of_their_ids_however_they_ask(tenant: Tenant) -> None:
    tenant.fund(team=7)
    held = tenant.hold(7)
    ids = sorted(uuid7() for _ in range(THREADS))
    line = [tenant.reserve(7, id=id, waiting=PATIENT) for id in ids]
    assert set(post(*line)) == {"waiting"}

    def ask(operation: ledger.Reserve) -> Callable[[], str]:
        return lambda: posting(operation)()[0]

    served: list[UUID] = []
    for turn in range(THREADS):
        ledger.post_one(tenant.settle(held, 0))
        asking = line[turn:]
        answers = race([ask(operation) for operation in reversed(asking)])
        assert answers == ["waiting"] * (len(asking) - 1) + ["ok"]
        held = asking[0].id
        served.append(held)
    assert served == [operation.id for operation in line]


def test_a_large_request_gets_its_turn_among_many_small_ones(tenant: Tenant) -> None:
    tenant.fund(team=40)
    small = [tenant.hold(10) for _ in range(4)]
    large = tenant.reserve(40, waiting=PATIENT)
    assert post(large) == ["waiting"]
    has_waited(large.id, 3)
    over = threading.Event()

    def busy(first: UUID) -> Callable[[], int]:
        def work() -> int:
            ledger.post_one(tenant.settle(first, 0))
            rounds = 0
            while not over.is_set() and rounds < TURNS:
                operation = tenant.reserve(10, waiting=PATIENT)
                if post(operation) == ["ok"]:
                    ledger.post_one(tenant.settle(operation.id, 0))
                ledger.post_one(tenant.refund(operation.id))
                rounds += 1
            return rounds

        return work

    def wait() -> int:
        try:
            return admitted(tenant, large)
        finally:
            over.set()

    race([*(busy(first) for first in small), wait])
    assert Reservation.objects.get(pk=large.id).state == "held"
    assert tenant.numbers("team") == (40, 40, 0)


def test_moves_cross_settles_transfers_and_lines_without_deadlock(
    tenant: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    tenant.fund(org=5_000, team=900, user=900)
    use = (tenant.use(1_000_000),)

    def work(n: int) -> Callable[[], list[str]]:
        def run() -> list[str]:
            found = []
            for turn in range(6):
                id = uuid7()
                hold = tenant.reserve(
                    90, "user", "team", "org", id=id, counters=use, waiting=PATIENT
                )
                found += post(hold, tenant.move("org", "user", 2))
                extension = tenant.extend(id, 1, 40, counters=use, waiting=PATIENT)
                move = tenant.move_hold(id, 150, "team", "org", counters=use)
                pair = (extension, tenant.move("user", "org", 1))
                found += post(*(reversed(pair) if (n + turn) % 2 else pair))
                found += post(move) if turn % 2 else post(move, tenant.reserve(1, "org"))
                waiting.renew([id, move.to.id])
                found += post(tenant.settle(move.to.id, 3), tenant.settle(id, 3))
                found += post(tenant.refund(id), tenant.refund(move.to.id))
            return found

        return run

    with Witness(lambda: broken_invariants(tenant)) as witness:
        race([work(n) for n in range(THREADS)])
    assert witness.problems == []
    assert "repeated" not in caplog.text
    assert Waiter.objects.count() == 0


def test_promise_16_a_move_from_many_threads_happens_once(tenant: Tenant) -> None:
    tenant.fund(team=100, org=500)
    old = tenant.hold(90)
    move = tenant.move_hold(old, 250, "team", "org")
    answers = Counter(code for codes in race([posting(move)] * THREADS) for code in codes)
    assert answers == {"ok": 1, "replayed": THREADS - 1}
    assert (tenant.numbers("team"), tenant.numbers("org")) == ((100, 0, 0), (500, 250, 0))
    assert Entry.objects.filter(reservation=old, part=30_000).count() == 1


@pytest.mark.parametrize("round", range(4))
def test_a_move_a_settle_and_a_sweep_race_for_one_hold(tenant: Tenant, round: int) -> None:
    tenant.fund(team=100, org=500)
    old = tenant.hold(90)
    ledger.post_one(tenant.heartbeat(old, 10))
    move = tenant.move_hold(old, 250, "org")
    calls = [
        posting(operation)
        for _ in range(4)
        for operation in (move, tenant.settle(old, 30), tenant.sweep(old), move)
    ]
    race(calls)
    row = Reservation.objects.get(pk=old)
    moved = Reservation.objects.filter(pk=move.to.id).first()
    assert (row.state, row.charged, moved and moved.state) in {
        ("settled", 30, None), ("settled_late", 30, None), ("expired", 10, None),
        ("refunded", 0, "held"),
    }  # fmt: skip
    assert tenant.numbers("org") == (500, 250 if moved else 0, 0)
