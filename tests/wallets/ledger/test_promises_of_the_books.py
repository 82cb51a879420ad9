"""Promises 1 to 7: what the books always say."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from keeptrusts.lib.ids import uuid7
from tests.wallets.ledger.world import Tenant, codes, tables
from wallets import ledger
from wallets.ledger import Candidate, Leg
from wallets.models import Entry, Reservation

pytestmark = [pytest.mark.django_db, pytest.mark.engines]


def entries(tenant: Tenant, name: str) -> list[Entry]:
    return list(Entry.objects.filter(wallet_id=tenant.refs[name].id).order_by("seq"))


def hold(id: UUID) -> Reservation:
    return Reservation.objects.get(pk=id)


def test_promise_01_a_hold_never_exceeds_what_is_owned(tenant: Tenant) -> None:
    tenant.fund(team=100)
    tenant.hold(60)
    assert codes(ledger.post([tenant.reserve(41), tenant.reserve(40), tenant.reserve(1)])) == [
        "insufficient_balance",
        "ok",
        "insufficient_balance",
    ]
    assert tenant.numbers("team") == (100, 100, 0)


def test_promise_01_debt_is_a_number_of_its_own_and_leaves_nothing_available(
    tenant: Tenant,
) -> None:
    tenant.fund(org=100)
    tenant.hold(30, "org")
    ledger.post_one(tenant.payment_refund(90, "paypal:refund:1"))
    assert tenant.numbers("org") == (30, 30, 20)
    assert codes(ledger.post([tenant.reserve(1, "org")])) == ["organization_in_debt"]


def test_promise_01_what_a_hold_frees_repays_debt_in_the_same_entry(tenant: Tenant) -> None:
    tenant.fund(org=100)
    id = tenant.hold(30, "org")
    ledger.post_one(tenant.payment_refund(90, "paypal:refund:1"))
    ledger.post_one(tenant.settle(id, 4))
    assert tenant.numbers("org") == (6, 0, 0)
    last = entries(tenant, "org")[-1]
    assert (last.type, last.d_posted, last.d_reserved, last.d_debt) == ("settle", -24, -30, -20)


def test_promise_01_new_money_repays_debt_first(tenant: Tenant) -> None:
    tenant.fund(org=10)
    ledger.post_one(tenant.payment_refund(35, "paypal:refund:1"))
    ledger.post_one(tenant.credit(20))
    assert tenant.numbers("org") == (0, 0, 5)
    ledger.post_one(tenant.credit(20))
    assert tenant.numbers("org") == (15, 0, 0)


def test_promise_02_the_wallet_is_its_last_entry_and_numbers_have_no_gap(tenant: Tenant) -> None:
    tenant.fund(team=100)
    id = tenant.hold(30)
    ledger.post([tenant.reserve(71), tenant.settle(id, 12), tenant.reserve(5)])
    assert [
        (e.seq, e.type, e.d_posted, e.d_reserved, e.posted_after, e.reserved_after)
        for e in entries(tenant, "team")
    ] == [
        (1, "allocation_in", 100, 0, 100, 0),
        (2, "reserve", 0, 30, 100, 30),
        (3, "settle", -12, -30, 88, 0),
        (4, "reserve", 0, 5, 88, 5),
    ]
    row = tenant.wallet("team")
    assert (row.posted, row.reserved, row.debt, row.seq) == (88, 5, 0, 4)


def test_promise_03_a_cost_above_hold_and_balance_is_written_off(tenant: Tenant) -> None:
    tenant.fund(team=100)
    tenant.hold(30)
    id = tenant.hold(50)
    result = ledger.post_one(tenant.settle(id, 90))
    assert (result.charged, result.written_off, result.balance) == (70, 20, 0)
    assert tenant.numbers("team") == (30, 30, 0)
    assert (hold(id).cost, hold(id).charged, hold(id).written_off) == (90, 70, 20)


def test_promise_03_a_cost_between_hold_and_balance_is_charged_whole(tenant: Tenant) -> None:
    tenant.fund(team=100)
    result = ledger.post_one(tenant.settle(tenant.hold(50), 80))
    assert (result.charged, result.written_off, result.balance) == (80, 0, 20)


def test_promise_03_an_adjustment_gives_back_at_most_the_charge(tenant: Tenant) -> None:
    tenant.fund(team=100)
    id = tenant.hold(50)
    ledger.post_one(tenant.settle(id, 40))
    assert codes(ledger.post([tenant.adjust(id, 41)])) == ["conflict"]
    assert codes(ledger.post([tenant.adjust(id, 25)])) == ["ok"]
    assert codes(ledger.post([tenant.adjust(id, 16)])) == ["conflict"]
    assert codes(ledger.post([tenant.adjust(id, 15)])) == ["ok"]
    assert tenant.numbers("team") == (100, 0, 0)
    assert tenant.wallet("team").total_spent == 0


def test_promise_03_money_held_for_a_refund_is_no_charge_to_adjust(tenant: Tenant) -> None:
    tenant.fund(org=100)
    id = tenant.hold(50, "org", kind="payment_refund", ttl=None)
    ledger.post_one(tenant.payment_refund(50, "paypal:refund:1", reservation=id))
    assert codes(ledger.post([tenant.adjust(id, 10)])) == ["conflict"]
    assert tenant.numbers("org") == (50, 0, 0)


def test_promise_04_reserved_is_the_sum_of_open_holds(tenant: Tenant) -> None:
    tenant.fund(team=100)
    first, second = tenant.hold(10), tenant.hold(20)
    ledger.post([tenant.extend(first, 1, 5), tenant.extend(first, 2, 7), tenant.settle(second, 1)])
    assert hold(first).amount == 22
    assert tenant.numbers("team") == (99, 22, 0)


def test_promise_05_a_hold_opens_once_extends_in_order_and_closes_once(tenant: Tenant) -> None:
    tenant.fund(team=100)
    id = tenant.hold(10)
    batch = [
        tenant.extend(id, 2, 5),
        tenant.extend(id, 1, 5),
        tenant.extend(id, 1, 5),
        tenant.extend(id, 2, 6),
        tenant.settle(id, 9),
        tenant.settle(id, 9),
        tenant.refund(id),
        tenant.extend(id, 3, 1),
    ]
    assert codes(ledger.post(batch)) == [
        "conflict", "ok", "replayed", "ok", "ok", "replayed", "replayed", "conflict",
    ]  # fmt: skip
    parts = Entry.objects.filter(reservation=id).order_by("seq")
    assert [(e.part, e.type) for e in parts] == [
        (0, "reserve"), (1, "reserve"), (2, "reserve"), (30_000, "settle"),
    ]  # fmt: skip


def test_promise_05_a_settle_at_another_cost_is_refused(tenant: Tenant) -> None:
    tenant.fund(team=100)
    id = tenant.hold(10)
    settles = [tenant.settle(id, 9), tenant.settle(id, 8), tenant.settle(id, 9)]
    assert codes(ledger.post(settles)) == ["ok", "conflict", "replayed"]
    assert tenant.numbers("team") == (91, 0, 0)


def test_promise_05_a_hold_swept_is_settled_late_at_most_once(tenant: Tenant) -> None:
    tenant.fund(team=100)
    id = tenant.hold(30)
    ledger.post([tenant.heartbeat(id, 8), tenant.sweep(id)])
    late = ledger.post([tenant.settle(id, 20), tenant.settle(id, 20), tenant.settle(id, 21)])
    assert codes(late) == ["ok", "replayed", "conflict"]
    assert [(r.charged, r.written_off) for r in late[:2]] == [(20, 0), (20, 0)]
    parts = Entry.objects.filter(reservation=id).order_by("seq")
    assert [(e.part, e.type, e.reason, e.d_posted) for e in parts] == [
        (0, "reserve", "", 0), (30_000, "settle", "swept", -8), (30_001, "settle", "late", -12),
    ]  # fmt: skip


def test_promise_05_a_late_settle_below_the_checkpoint_repeats_as_itself(tenant: Tenant) -> None:
    tenant.fund(team=100)
    id = tenant.hold(30)
    ledger.post([tenant.heartbeat(id, 8), tenant.sweep(id)])
    late = ledger.post([tenant.settle(id, 5), tenant.settle(id, 5)])
    assert codes(late) == ["ok", "replayed"]
    assert (hold(id).state, hold(id).cost, hold(id).charged) == ("settled_late", 8, 8)
    assert tenant.numbers("team") == (92, 0, 0)


def test_promise_05_extensions_stop_before_the_number_that_closes(tenant: Tenant) -> None:
    tenant.fund(team=100)
    id = tenant.hold(10)
    Reservation.objects.filter(pk=id).update(parts=30_000)
    assert codes(ledger.post([tenant.extend(id, 30_000, 1)])) == ["conflict"]
    Reservation.objects.filter(pk=id).update(parts=1)


def test_promise_06_transfers_conserve_the_total(tenant: Tenant) -> None:
    tenant.fund(org=100)
    refs = tenant.refs
    legs = (
        Leg(source=refs["org"], target=refs["team"], amount=60),
        Leg(source=refs["org"], target=refs["other"], amount=40),
    )
    ledger.post_one(ledger.Transfer(organization_id=tenant.id, id=uuid7(), legs=legs))
    ledger.post_one(tenant.move("team", "user", 25))
    ledger.post_one(tenant.move("other", "org", None, reason="reclaim"))
    assert {name: tenant.numbers(name)[0] for name in refs} == {
        "org": 40, "team": 35, "other": 0, "user": 25, "friend": 0,
    }  # fmt: skip


def test_promise_06_a_transfer_moves_all_legs_or_none(tenant: Tenant) -> None:
    tenant.fund(org=100)
    refs, before = tenant.refs, tables()
    legs = (
        Leg(source=refs["org"], target=refs["team"], amount=60),
        Leg(source=refs["org"], target=refs["other"], amount=41),
    )
    transfer = ledger.Transfer(organization_id=tenant.id, id=uuid7(), legs=legs)
    assert codes(ledger.post([transfer])) == ["insufficient_balance"]
    assert tables() == before


def test_promise_06_what_is_held_cannot_be_moved(tenant: Tenant) -> None:
    tenant.fund(team=100)
    tenant.hold(30)
    assert codes(ledger.post([tenant.move("team", "org", 71, reason="reclaim")])) == [
        "insufficient_balance"
    ]
    moved = ledger.post_one(tenant.move("team", "org", None, reason="reclaim"))
    assert (moved.amount, tenant.numbers("team"), tenant.numbers("org")) == (
        70, (30, 30, 0), (70, 0, 0),
    )  # fmt: skip


def test_promise_06_nothing_moves_out_of_a_wallet_in_debt(tenant: Tenant) -> None:
    tenant.fund(org=50)
    tenant.hold(50, "org")
    ledger.post_one(tenant.payment_refund(10, "paypal:refund:1"))
    assert codes(ledger.post([tenant.move("org", "team", 1)])) == ["organization_in_debt"]


def test_promise_07_admission_fits_every_limit_exactly(tenant: Tenant) -> None:
    tenant.fund(team=1_000)
    uses = (tenant.use(100, "day"), tenant.use(60, "hour", code="hourly_limit_exceeded"))
    batch = [tenant.reserve(amount, counters=uses) for amount in (40, 21, 20, 1)]
    assert codes(ledger.post(batch)) == [
        "ok", "hourly_limit_exceeded", "ok", "hourly_limit_exceeded",
    ]  # fmt: skip
    assert (tenant.counter("day"), tenant.counter("hour")) == ((60, 0), (60, 0))


def test_promise_07_the_surplus_of_a_settled_hold_is_free_again(tenant: Tenant) -> None:
    tenant.fund(team=1_000)
    use = (tenant.use(100),)
    id = tenant.hold(100, counters=use)
    assert codes(ledger.post([tenant.reserve(1, counters=use)])) == ["limit_exceeded"]
    ledger.post_one(tenant.settle(id, 30))
    assert tenant.counter() == (0, 30)
    assert codes(ledger.post([tenant.reserve(71, counters=use)])) == ["limit_exceeded"]
    assert codes(ledger.post([tenant.reserve(70, counters=use)])) == ["ok"]


def test_promise_07_an_extension_fits_the_limit_too(tenant: Tenant) -> None:
    tenant.fund(team=1_000)
    use = (tenant.use(100),)
    id = tenant.hold(60, counters=use)
    assert codes(
        ledger.post(
            [tenant.extend(id, 1, 41, counters=use), tenant.extend(id, 1, 40, counters=use)]
        )
    ) == ["limit_exceeded", "ok"]
    assert tenant.counter() == (100, 0)


def test_promise_07_a_limit_of_zero_allows_nothing(tenant: Tenant) -> None:
    tenant.fund(team=1_000)
    refused = ledger.post([tenant.reserve(1, counters=(tenant.use(0),))])
    assert codes(refused) == ["limit_exceeded"]


def test_promise_07_a_limit_refuses_before_the_cascade_goes_on(tenant: Tenant) -> None:
    tenant.fund(user=10, org=100)
    batch = [tenant.reserve(20, "user", "team", "org", counters=(tenant.use(15),))]
    assert codes(ledger.post(batch)) == ["limit_exceeded"]


def test_promise_07_a_draw_cap_counts_only_what_is_drawn(tenant: Tenant) -> None:
    tenant.fund(user=10, team=100)
    cap = tenant.use(30, "draw")
    cascade = (
        Candidate(wallet=tenant.refs["user"]),
        Candidate(wallet=tenant.refs["team"], counters=(cap,)),
    )
    batch = [tenant.reserve(amount, candidates=cascade) for amount in (10, 20, 11, 10)]
    results = ledger.post(batch)
    assert codes(results) == ["ok", "ok", "insufficient_balance", "ok"]
    assert tenant.counter("draw") == (30, 0)
    assert [r.wallet_id for r in results if r.ok] == [
        tenant.refs[name].id for name in ("user", "team", "team")
    ]


def test_promise_07_a_limit_set_in_mid_period_counts_what_was_consumed_before(
    tenant: Tenant,
) -> None:

    tenant.fund(team=1_000)
    ledger.post_one(tenant.settle(tenant.hold(50, team_id=7), 30))
    tenant.hold(20, team_id=7)
    tenant.hold(400, team_id=8)
    use = replace(tenant.use(100), period_start=datetime(2020, 1, 1, tzinfo=UTC), team_id=7)
    assert codes(
        ledger.post([tenant.reserve(51, counters=(use,)), tenant.reserve(50, counters=(use,))])
    ) == ["limit_exceeded", "ok"]
