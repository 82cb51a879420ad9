"""Promise 14 and its kin: threads with real commits, exact counts."""

from collections import Counter
from collections.abc import Callable

import pytest

from keeptrusts.lib.ids import uuid7
from tests.wallets.ledger.racing import THREADS, Witness, race
from tests.wallets.ledger.world import Tenant, broken_invariants, codes
from wallets import ledger
from wallets.ledger import Candidate, Claimed, Operation
from wallets.models import Entry, Reservation

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.engines]


def posting(*operations: Operation) -> Callable[[], list[str]]:
    return lambda: codes(ledger.post(operations))


def tally(answers: list[list[str]]) -> Counter[str]:
    return Counter(code for codes in answers for code in codes)


def test_promise_14_a_balance_for_k_admits_exactly_k(tenant: Tenant) -> None:
    tenant.fund(team=10 * 7 + 6)
    answers = race([posting(tenant.reserve(7)) for _ in range(2 * THREADS)])
    assert tally(answers) == {"ok": 10, "insufficient_balance": 22}
    assert tenant.numbers("team") == (76, 70, 0)


def test_promise_14_in_batches(tenant: Tenant) -> None:
    tenant.fund(team=50 * 7)
    calls = [posting(*[tenant.reserve(7) for _ in range(8)]) for _ in range(THREADS)]
    assert tally(race(calls)) == {"ok": 50, "insufficient_balance": 78}
    assert tenant.numbers("team") == (350, 350, 0)


def test_promise_14_through_the_cascade(tenant: Tenant) -> None:
    tenant.fund(user=3 * 7 + 6, team=5 * 7 + 6, org=2 * 7)
    calls = [posting(tenant.reserve(7, "user", "team", "org")) for _ in range(THREADS)]
    calls += [posting(tenant.reserve(7, "friend", "team", "org")) for _ in range(THREADS)]
    answers = tally(race(calls))
    assert answers["ok"] == 5 + 2 + 3
    assert tenant.numbers("user") == (27, 21, 0)
    assert tenant.numbers("team") == (41, 35, 0)
    assert tenant.numbers("org") == (14, 14, 0)


def test_promise_14_through_the_cascade_in_batches(tenant: Tenant) -> None:
    tenant.fund(user=30, friend=20, team=60, other=50, org=40)
    cascades = [("user", "team", "org"), ("friend", "team", "org"), ("other", "org"), ("org",)]
    calls = [
        posting(*[tenant.reserve(10, *cascades[(n + m) % 4]) for m in range(8)])
        for n in range(THREADS)
    ]
    assert tally(race(calls)) == {"ok": 20, "insufficient_balance": 108}
    assert [tenant.numbers(name)[1] for name in tenant.refs] == [40, 60, 50, 30, 20]


def test_promise_14_through_limits(tenant: Tenant) -> None:
    tenant.fund(team=1_000, other=1_000)
    use = (tenant.use(10 * 7 + 6),)
    calls = [
        posting(tenant.reserve(7, name, counters=use))
        for name in ("team", "other")
        for _ in range(THREADS)
    ]
    assert tally(race(calls)) == {"ok": 10, "limit_exceeded": 22}
    assert tenant.counter() == (70, 0)


def test_promise_14_through_draw_caps_and_limits_named_in_any_order(tenant: Tenant) -> None:
    tenant.fund(org=1_000)
    uses = [tenant.use(1_000, key) for key in "abcd"]
    cap = tenant.use(60, "draw")
    drawn = (Candidate(wallet=tenant.refs["org"], counters=(cap,)),)
    calls = [
        posting(tenant.reserve(5, candidates=drawn, counters=(*uses[n % 4 :], *uses[: n % 4])))
        for n in range(THREADS)
    ]
    assert tally(race(calls)) == {"ok": 12, "insufficient_balance": 4}
    assert tenant.counter("draw") == (60, 0)
    assert [tenant.counter(key) for key in "abcd"] == [(60, 0)] * 4


def test_settles_and_reserves_share_a_wallet_without_losing_a_nano(tenant: Tenant) -> None:
    tenant.fund(team=1_000)
    holds = [tenant.hold(20) for _ in range(THREADS)]
    calls = [posting(tenant.settle(id, 13)) for id in holds]
    calls += [posting(tenant.reserve(5)) for _ in range(THREADS)]
    assert tally(race(calls)) == {"ok": 2 * THREADS}
    assert tenant.numbers("team") == (1_000 - 13 * THREADS, 5 * THREADS, 0)


@pytest.mark.parametrize("round", range(4))
def test_one_hold_ends_once_whatever_races_for_it(tenant: Tenant, round: int) -> None:
    tenant.fund(team=100)
    id = tenant.hold(50)
    ledger.post_one(tenant.heartbeat(id, 10))
    calls = [
        posting(operation)
        for _ in range(4)
        for operation in (
            tenant.settle(id, 30), tenant.sweep(id), tenant.refund(id), tenant.settle(id, 30),
        )
    ]  # fmt: skip
    race(calls)
    row = Reservation.objects.get(pk=id)
    assert (row.state, row.charged) in {
        ("settled", 30), ("settled_late", 30), ("expired", 10), ("refunded", 0),
    }  # fmt: skip
    assert tenant.numbers("team") == (100 - row.charged, 0, 0)
    assert Entry.objects.filter(reservation=id, part=30_000).count() == 1


def test_the_same_reservation_from_many_threads_is_held_once(tenant: Tenant) -> None:
    tenant.fund(team=100)
    operation = tenant.reserve(30)
    answers = tally(race([posting(operation) for _ in range(THREADS)]))
    assert answers == {"ok": 1, "replayed": THREADS - 1}
    assert tenant.numbers("team") == (100, 30, 0)


def test_the_same_extension_from_many_threads_is_held_once(tenant: Tenant) -> None:
    tenant.fund(team=100)
    id = tenant.hold(10)
    answers = race([posting(tenant.extend(id, 1, 5)) for _ in range(THREADS)])
    assert tally(answers) == {"ok": 1, "replayed": THREADS - 1}
    assert tenant.numbers("team") == (100, 15, 0)


def test_opposite_transfers_among_three_ranks_neither_deadlock_nor_lose(
    tenant: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    tenant.fund(org=200, team=200, user=200)
    ring = [("org", "team"), ("team", "org"), ("team", "user"), ("user", "team"), ("user", "org")]
    calls = [
        posting(*[tenant.move(*ring[(n + m) % 5], 3) for m in range(6)]) for n in range(THREADS)
    ]
    assert tally(race(calls)) == {"ok": 6 * THREADS}
    assert sum(tenant.numbers(name)[0] for name in ("org", "team", "user")) == 600
    assert "repeated" not in caplog.text


def test_transfers_holds_and_payments_cross_without_deadlock(
    tenant: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    tenant.fund(org=10_000, team=10_000, user=10_000)
    mixes = [
        lambda: (tenant.move("org", "user", 3), tenant.reserve(2, "user", "team")),
        lambda: (tenant.move("user", "org", 3), tenant.credit(5), tenant.reserve(1, "org")),
        lambda: (tenant.reserve(9_999_999, "user", "team", "org"), tenant.move("team", "user", 1)),
        lambda: (tenant.reserve(4, "team"), tenant.payment_refund(2, f"paypal:{uuid7()}")),
    ]
    calls = [posting(*mixes[n % 4](), *mixes[(n + 1) % 4]()) for n in range(THREADS)]
    answers = tally(race(calls))
    assert answers == {"ok": 2 * (2 + 3 + 1 + 2) * 4, "insufficient_balance": 2 * 4}
    assert "repeated" not in caplog.text


def test_one_idempotency_key_from_many_threads_has_one_effect(tenant: Tenant) -> None:
    tenant.fund(org=1_000)
    claim = Claimed(key=f"key:{tenant.id}", fingerprint="body")
    calls = [
        lambda: ledger.post_one(tenant.move("org", "team", 30, claim=claim)) for _ in range(THREADS)
    ]
    results = race(calls)
    assert Counter(result.replayed for result in results) == {False: 1, True: THREADS - 1}
    assert {(r.state, r.amount, r.balance, tuple(map(tuple, r.seqs))) for r in results} == {
        ("moved", 30, 30, ((tenant.refs["org"].id, 2), (tenant.refs["team"].id, 1)))
    }
    assert tenant.numbers("team") == (30, 0, 0)


def test_a_key_whose_first_owner_is_refused_serves_exactly_one_other(tenant: Tenant) -> None:
    tenant.fund(org=30)
    calls = [
        posting(tenant.move("org", "team", amount, claim=Claimed(key="k", fingerprint=str(amount))))
        for amount in (31, 30) * (THREADS // 2)
    ]
    answers = tally(race(calls))
    assert answers["ok"] == 1
    assert answers["replayed"] == THREADS // 2 - 1
    assert answers["insufficient_balance"] + answers["idempotency_key_reused"] == THREADS // 2
    assert tenant.numbers("team") == (30, 0, 0)


def test_a_capture_reported_by_many_threads_books_once(tenant: Tenant) -> None:
    capture = tenant.credit(50, type="payment_capture", reference="paypal:capture:1")
    answers = race([posting(capture) for _ in range(THREADS)])
    assert tally(answers) == {"ok": 1, "replayed": THREADS - 1}
    assert tenant.numbers("org") == (50, 0, 0)


def test_a_reference_raced_for_by_two_tenants_books_for_one(
    tenant: Tenant, stranger: Tenant
) -> None:
    def capture(who: Tenant) -> Operation:
        return who.credit(50, type="payment_capture", reference="paypal:capture:1")

    answers = race([posting(capture(who)) for who in (tenant, stranger) for _ in range(8)])
    assert tally(answers) == {"ok": 1, "replayed": 7, "conflict": 8}
    assert {tenant.numbers("org")[0], stranger.numbers("org")[0]} == {0, 50}


def test_a_witness_never_sees_broken_books(tenant: Tenant) -> None:
    tenant.fund(user=300, team=300, org=300)
    use = (tenant.use(100_000),)

    def work() -> list[str]:
        done = []
        for n in range(12):
            id = uuid7()
            ledger.post([tenant.reserve(9, "user", "team", "org", id=id, counters=use)])
            ledger.post([tenant.extend(id, 1, 3, counters=use), tenant.move("org", "user", 2)])
            end = tenant.settle(id, 7) if n % 3 else tenant.sweep(id)
            done += codes(ledger.post([end, tenant.move("user", "org", 1)]))
        return done

    with Witness(lambda: broken_invariants(tenant)) as witness:
        race([work for _ in range(THREADS)])
    assert witness.problems == []
    assert witness.looks > 0
    assert Reservation.objects.filter(state="held").count() == 0
