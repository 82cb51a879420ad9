"""Promises 8 to 13: what one call may do, and what it never does. Promise 14 is ``test_races``."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from keeptrusts.lib import money
from keeptrusts.lib.ids import uuid7
from tests.wallets.ledger.world import Tenant, codes, tables
from wallets import ledger
from wallets.errors import InsufficientFunds
from wallets.ledger import Claimed, Operation
from wallets.models import Entry, Reservation, Wallet

pytestmark = [pytest.mark.django_db, pytest.mark.engines]

Refusal = Callable[[Tenant], Operation]


def draw_above_a_cap(tenant: Tenant) -> Operation:
    """What the team may not give is not taken from above it."""
    candidates = (
        ledger.Candidate(wallet=tenant.refs["friend"]),
        ledger.Candidate(wallet=tenant.refs["team"], counters=(tenant.use(8),)),
        ledger.Candidate(wallet=tenant.refs["org"]),
    )
    return tenant.reserve(9, candidates=candidates)


REFUSALS: dict[str, tuple[str, Refusal]] = {
    "reserve above the balance": ("insufficient_balance", lambda t: t.reserve(101)),
    "reserve above a limit": ("limit_exceeded", lambda t: t.reserve(9, counters=(t.use(8),))),
    "draw above a cap": ("insufficient_balance", draw_above_a_cap),
    "reserve on a frozen wallet": ("wallet_frozen", lambda t: t.reserve(1, "user", "team")),
    "reserve on no wallet": (
        "not_found",
        lambda t: t.reserve(1, candidates=(ledger.Candidate(wallet=ledger.Ref(id=0, rank=1)),)),
    ),
    "extend nothing": ("not_found", lambda t: t.extend(uuid7(), 1, 1)),
    "settle nothing": ("not_found", lambda t: t.settle(uuid7(), 1)),
    "heartbeat of nothing": ("not_found", lambda t: t.heartbeat(uuid7(), 1)),
    "adjust nothing": ("not_found", lambda t: t.adjust(uuid7(), 1)),
    "move too much": ("insufficient_balance", lambda t: t.move("team", "org", 101)),
    "move all of nothing": ("insufficient_balance", lambda t: t.move("other", "org", None)),
    "credit above what a wallet may hold": (
        "balance_limit",
        lambda t: t.credit(money.MAX_BALANCE - 99, "team"),
    ),
    "close no hold by a payment refund": (
        "not_found",
        lambda t: t.payment_refund(1, "paypal:refund:1", reservation=uuid7()),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_promise_08_a_refusal_changes_no_byte(tenant: Tenant, name: str) -> None:
    tenant.fund(team=100, org=100)
    Wallet.objects.filter(pk=tenant.refs["user"].id).update(frozen=True)
    tenant.hold(1, counters=(tenant.use(8),))
    ledger.post_one(tenant.credit(1, "team"))
    code, refusal = REFUSALS[name]
    before = tables()
    assert codes(ledger.post([refusal(tenant)])) == [code]
    assert tables() == before


def test_promise_08_a_frozen_wallet_extends_nothing_but_settles_what_it_holds(
    tenant: Tenant,
) -> None:
    tenant.fund(team=100)
    id = tenant.hold(10)
    Wallet.objects.filter(pk=tenant.refs["team"].id).update(frozen=True)
    batch = [tenant.extend(id, 1, 5), tenant.settle(id, 12), tenant.reserve(1)]
    assert codes(ledger.post(batch)) == ["wallet_frozen", "ok", "wallet_frozen"]
    assert tenant.numbers("team") == (88, 0, 0)


def test_promise_08_a_hold_that_is_closed_takes_no_heartbeat_and_pays_no_refund(
    tenant: Tenant,
) -> None:
    tenant.fund(org=100)
    id = tenant.hold(10, "org", kind="dispute", ttl=None)
    ledger.post_one(tenant.refund(id))
    before = tables()
    batch = [
        tenant.heartbeat(id, 5),
        tenant.payment_refund(5, "paypal:refund:1", reservation=id),
        tenant.extend(id, 1, 5),
    ]
    assert codes(ledger.post(batch)) == ["conflict", "conflict", "conflict"]
    assert tables() == before


def test_promise_08_an_adjustment_takes_no_more_than_is_available(tenant: Tenant) -> None:
    tenant.fund(team=100)
    id = tenant.hold(50)
    ledger.post_one(tenant.settle(id, 40))
    tenant.hold(50)
    assert codes(ledger.post([tenant.adjust(id, -11)])) == ["insufficient_balance"]
    assert codes(ledger.post([tenant.adjust(id, -10)])) == ["ok"]
    assert tenant.numbers("team") == (50, 50, 0)
    assert tenant.wallet("team").total_spent == 50


def test_promise_08_a_refusal_is_raised_where_one_is_posted(tenant: Tenant) -> None:
    tenant.fund(team=100)
    with pytest.raises(InsufficientFunds) as caught:
        ledger.post_one(tenant.reserve(101))
    assert caught.value.details["balances"] == {tenant.refs["team"].id: 100}


def test_promise_08_a_refusal_undoes_no_other_operation(tenant: Tenant) -> None:
    tenant.fund(team=100)
    results = ledger.post([tenant.reserve(60), tenant.reserve(60), tenant.reserve(40)])
    assert codes(results) == ["ok", "insufficient_balance", "ok"]
    assert tenant.numbers("team") == (100, 100, 0)


def test_promise_08_what_alongside_refuses_is_undone(tenant: Tenant) -> None:
    tenant.fund(team=100)
    before = tables()

    def veto(pairs: Any) -> None:
        raise InsufficientFunds("Not today.")

    assert codes(ledger.post([tenant.reserve(10)], alongside=veto)) == ["insufficient_balance"]
    assert tables() == before


def claimed(tenant: Tenant, fingerprint: str = "body") -> Claimed:
    return Claimed(key=f"key:{tenant.id}", fingerprint=fingerprint)


def test_promise_09_the_same_key_answers_the_same_and_writes_nothing(tenant: Tenant) -> None:
    tenant.fund(org=100)
    first = ledger.post_one(tenant.move("org", "team", 30, claim=claimed(tenant)))
    tenant.fund(org=5)
    before = tables()
    again = ledger.post_one(tenant.move("org", "team", 30, claim=claimed(tenant)))
    assert again.replayed
    assert (again.state, again.amount, again.balance) == ("moved", 30, 30)
    assert [tuple(seq) for seq in again.seqs] == first.seqs
    assert tables() == before


def test_promise_09_the_same_key_with_another_body_is_refused(tenant: Tenant) -> None:
    tenant.fund(org=100)
    ledger.post_one(tenant.move("org", "team", 30, claim=claimed(tenant)))
    before = tables()
    other = tenant.move("org", "team", 31, claim=claimed(tenant, "other"))
    assert codes(ledger.post([other])) == ["idempotency_key_reused"]
    assert tables() == before


def test_promise_09_a_refused_call_frees_its_key(tenant: Tenant) -> None:
    tenant.fund(org=10)
    moves = [tenant.move("org", "team", n, claim=claimed(tenant, str(n))) for n in (11, 10)]
    assert codes(ledger.post(moves)) == ["insufficient_balance", "ok"]


def test_promise_09_a_key_that_found_its_work_done_is_kept(tenant: Tenant) -> None:
    """Answered from the payment's reference, not from the key: the key must still hold."""
    capture = {"type": "payment_capture", "reference": "paypal:capture:1"}
    ledger.post_one(tenant.credit(50, **capture))
    assert codes(ledger.post([tenant.credit(50, claim=claimed(tenant), **capture)])) == ["replayed"]
    other = tenant.credit(50, claim=claimed(tenant, "other"))
    assert codes(ledger.post([other])) == ["idempotency_key_reused"]
    assert tenant.numbers("org") == (50, 0, 0)


def test_promise_09_two_equal_keys_in_a_batch_take_effect_once(tenant: Tenant) -> None:
    tenant.fund(org=100)
    moves = [tenant.move("org", "team", 30, claim=claimed(tenant)) for _ in range(3)]
    assert codes(ledger.post(moves)) == ["ok", "replayed", "replayed"]
    assert tenant.numbers("team") == (30, 0, 0)


def test_promise_09_a_reserve_repeats_as_itself_and_refuses_another_amount(tenant: Tenant) -> None:
    tenant.fund(team=100)
    id = tenant.hold(10)
    before = tables()
    again = ledger.post([tenant.reserve(10, id=id), tenant.reserve(11, id=id)])
    assert codes(again) == ["replayed", "conflict"]
    assert (again[0].state, again[0].amount, again[0].wallet_id) == (
        "held", 10, tenant.refs["team"].id,
    )  # fmt: skip
    assert tables() == before


def orders(*names: str) -> list[tuple[str, ...]]:
    """Every order of ``names`` once."""
    return sorted(set(itertools.permutations(names)))


ENDINGS = {
    ("settle", "sweep"): ("settled", 20), ("settle", "refund"): ("settled", 20),
    ("sweep", "settle"): ("settled_late", 20), ("sweep", "refund"): ("expired", 5),
    ("refund", "settle"): ("refunded", 0), ("refund", "sweep"): ("refunded", 0),
}  # fmt: skip


@pytest.mark.parametrize("order", orders("settle", "settle", "sweep", "refund", "extend"))
@pytest.mark.parametrize("apart", [False, True])
def test_promise_10_any_order_ends_in_a_listed_state(
    tenant: Tenant, order: tuple[str, ...], apart: bool
) -> None:
    tenant.fund(team=100)
    id = tenant.hold(30)
    ledger.post_one(tenant.heartbeat(id, 5))
    calls = {
        "settle": tenant.settle(id, 20),
        "sweep": tenant.sweep(id),
        "refund": tenant.refund(id),
        "extend": tenant.extend(id, 1, 7),
    }
    batch = [calls[name] for name in order]
    for part in [[op] for op in batch] if apart else [batch]:
        ledger.post(part)
    distinct = tuple(dict.fromkeys(name for name in order if name != "extend"))[:2]
    if distinct == ("sweep", "refund"):
        # The settle is still to come, and finds the hold expired.
        distinct = ("sweep", "settle")
    state, charged = ENDINGS[distinct]
    row = Reservation.objects.get(pk=id)
    assert (row.state, row.charged, row.amount) == (
        state, charged, 37 if order[0] == "extend" else 30,
    )  # fmt: skip
    assert tenant.numbers("team") == (100 - charged, 0, 0)


def test_promise_10_a_sweep_leaves_what_is_not_due(tenant: Tenant) -> None:
    tenant.fund(team=100)
    id = tenant.hold(30)
    assert codes(ledger.post([tenant.sweep(id, everything=False)])) == ["replayed"]
    assert Reservation.objects.get(pk=id).state == "held"


def test_promise_10_a_heartbeat_saves_a_hold_that_was_due(tenant: Tenant) -> None:
    tenant.fund(team=100)
    id = tenant.hold(30, ttl=ledger.TTL * 0)
    sweep = tenant.sweep(id, everything=False)
    assert codes(ledger.post([tenant.heartbeat(id, 3), sweep])) == ["ok", "replayed"]
    ledger.post_one(tenant.heartbeat(id, 2, ttl=ledger.TTL * 0))
    assert codes(ledger.post([sweep])) == ["ok"]
    assert tenant.numbers("team") == (97, 0, 0)


def test_promise_10_money_held_for_a_refund_never_expires(tenant: Tenant) -> None:
    tenant.fund(org=100)
    id = tenant.hold(30, "org", kind="payment_refund", ttl=None)
    assert codes(ledger.post([tenant.sweep(id)])) == ["replayed"]
    assert tenant.numbers("org") == (100, 30, 0)


def test_promise_11_entries_cannot_be_changed(tenant: Tenant) -> None:
    """More in ``test_database_refuses``."""
    tenant.fund(team=100)
    before = tables()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Entry.objects.filter(organization=tenant.id).update(notes="corrected")
    assert tables() == before


PAYMENTS: dict[str, Callable[[Tenant], Operation]] = {
    "capture": lambda t: t.credit(50, type="payment_capture", reference="paypal:capture:1"),
    "refund": lambda t: t.payment_refund(20, "paypal:refund:1"),
}


@pytest.mark.parametrize("order", orders(*PAYMENTS, *PAYMENTS))
@pytest.mark.parametrize("apart", [False, True])
def test_promise_12_payment_events_book_once_in_any_order(
    tenant: Tenant, order: tuple[str, ...], apart: bool
) -> None:
    batch = [PAYMENTS[name](tenant) for name in order]
    for part in [[op] for op in batch] if apart else [batch]:
        ledger.post(part)
    assert tenant.numbers("org") == (30, 0, 0)
    assert Entry.objects.filter(organization=tenant.id).count() == 2


def test_promise_12_a_repeat_answers_the_same_although_debt_was_repaid(tenant: Tenant) -> None:
    ledger.post_one(tenant.payment_refund(20, "paypal:refund:1"))
    first = ledger.post_one(PAYMENTS["capture"](tenant))
    again = ledger.post([PAYMENTS["capture"](tenant), PAYMENTS["refund"](tenant)])
    assert codes(again) == ["replayed", "replayed"]
    assert (first.amount, [r.amount for r in again]) == (50, [50, 20])


def test_promise_12_a_reference_with_another_amount_is_refused(tenant: Tenant) -> None:
    ledger.post_one(PAYMENTS["capture"](tenant))
    other = tenant.credit(51, type="payment_capture", reference="paypal:capture:1")
    assert codes(ledger.post([other])) == ["conflict"]
    assert tenant.numbers("org") == (50, 0, 0)


def test_promise_12_a_refund_closes_the_hold_that_was_taken_for_it(tenant: Tenant) -> None:
    tenant.fund(org=100)
    id = tenant.hold(30, "org", kind="payment_refund", ttl=None)
    refund = tenant.payment_refund(30, "paypal:refund:1", reservation=id)
    assert codes(ledger.post([refund, refund])) == ["ok", "replayed"]
    assert tenant.numbers("org") == (70, 0, 0)
    assert Reservation.objects.get(pk=id).state == "settled"


def test_promise_12_a_hold_larger_than_the_refund_frees_the_rest_for_debt(tenant: Tenant) -> None:
    tenant.fund(org=100)
    id = tenant.hold(60, "org", kind="dispute", ttl=None)
    ledger.post_one(tenant.payment_refund(50, "paypal:refund:1"))
    assert tenant.numbers("org") == (60, 60, 10)
    ledger.post_one(tenant.payment_refund(45, "paypal:refund:2", reservation=id))
    assert tenant.numbers("org") == (5, 0, 0)


def foreign_calls(tenant: Tenant, stranger: Tenant, id: Any, dispute: Any) -> list[Operation]:
    """What ``tenant`` may try on what belongs to ``stranger``."""
    theirs = stranger.refs
    both = Tenant(
        tenant.id, {**tenant.refs, "their_team": theirs["team"], "their_org": theirs["org"]}
    )
    return [
        both.credit(5, "their_team"),
        both.move("their_org", "team", 1),
        both.move("org", "their_team", 1),
        both.reserve(5, "their_team"),
        both.reserve(50, "team", "their_org"),
        both.reserve(30, id=id),
        both.extend(id, 1, 1),
        both.settle(id, 1),
        both.refund(id),
        both.sweep(id),
        both.heartbeat(id, 1),
        both.adjust(id, 1),
        both.payment_refund(5, "paypal:refund:1", wallet=theirs["org"]),
        both.payment_refund(5, "paypal:refund:2", reservation=dispute),
        both.credit(7, type="payment_capture", reference="paypal:capture:9"),
        both.credit(7, claim=Claimed(key="theirs", fingerprint="same")),
        ledger.Expire(organization_id=tenant.id, wallet=theirs["org"], compute=lambda _row: 1),
    ]


def test_promise_13_no_call_sees_or_touches_another_tenant(
    tenant: Tenant, stranger: Tenant
) -> None:
    tenant.fund(org=10, team=10)
    stranger.fund(org=100, team=100)
    id, dispute = stranger.hold(30), stranger.hold(40, "org", kind="dispute", ttl=None)
    ledger.post_one(stranger.credit(7, type="payment_capture", reference="paypal:capture:9"))
    ledger.post_one(stranger.credit(7, claim=Claimed(key="theirs", fingerprint="same")))
    before = tables()
    calls = foreign_calls(tenant, stranger, id, dispute)
    for results in ([ledger.post([op])[0] for op in calls], ledger.post(calls)):
        assert codes(results) == [
            *["not_found"] * 8, "replayed", "replayed", *["not_found"] * 4, "conflict",
            "idempotency_key_reused", "not_found",
        ]  # fmt: skip
        assert all(r.wallet_id is None and not r.seqs for r in results)
        assert tables() == before


def test_promise_13_a_payment_refund_closes_no_usage_hold_and_none_of_another_wallet(
    tenant: Tenant,
) -> None:
    tenant.fund(org=100, team=100)
    usage = tenant.hold(30, "org")
    elsewhere = tenant.hold(30, "team", kind="dispute", ttl=None)
    before = tables()
    batch = [
        tenant.payment_refund(5, "paypal:refund:1", reservation=usage),
        tenant.payment_refund(5, "paypal:refund:2", reservation=elsewhere),
    ]
    assert codes(ledger.post(batch)) == ["not_found", "not_found"]
    assert tables() == before


def test_an_entry_names_who_was_paid_in_the_end(tenant: Tenant) -> None:
    tenant.fund(team=100)
    held = tenant.hold(70)
    ledger.post_one(tenant.settle(held, 20, provider="another"))
    entry = Entry.objects.filter(type="settle").get()
    assert entry.provider == "another"
