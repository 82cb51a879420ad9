"""Waiting for a wallet's money: who may wait, who comes first, and who stands in nobody's way."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db.models import F

from keeptrusts.lib.ids import uuid7
from tests.wallets.ledger.world import Tenant, codes, next_id, tables
from wallets import ledger
from wallets.ledger import Candidate, Operation, Result, Waiting
from wallets.models import Waiter, Wallet

pytestmark = [pytest.mark.django_db, pytest.mark.engines]

CONTENTION = Waiting(reasons=frozenset({"contention"}))
EXHAUSTED = Waiting(reasons=frozenset({"exhausted"}))
EITHER = Waiting(reasons=frozenset({"contention", "exhausted"}))


def post(*operations: Operation) -> list[str]:
    return codes(ledger.post(operations))


def answer(operation: Operation) -> Result:
    return ledger.post([operation])[0]


def waiter(tenant: Tenant, amount: int, *names: str, **fields: Any) -> ledger.Reserve:
    """A hold that was asked for and got a place in a line."""
    operation = tenant.reserve(amount, *names, **{"waiting": CONTENTION, **fields})
    assert post(operation) == ["waiting"]
    return operation


def has_waited(id: UUID, seconds: float) -> None:
    Waiter.objects.filter(id=id).update(since=F("since") - timedelta(seconds=seconds))


def has_died(*ids: UUID) -> None:
    """Its process renews nothing any more, and the lease is over."""
    past = F("lease_until") - timedelta(minutes=1)
    assert Waiter.objects.filter(id__in=ids).update(lease_until=past) == len(ids)


def test_a_hold_that_only_others_hold_up_waits_and_changes_no_balance(tenant: Tenant) -> None:
    tenant.fund(team=100)
    held = tenant.hold(70)
    operation = tenant.reserve(60, waiting=CONTENTION)
    result = answer(operation)
    assert (result.waits, result.ok, result.refusal, result.reason) == (
        True, False, None, "contention",
    )  # fmt: skip
    assert (result.wallet_id, result.amount) == (tenant.refs["team"].id, 60)
    assert tenant.numbers("team") == (100, 70, 0)
    assert tenant.line() == [operation.id]
    assert post(tenant.settle(held, 10), operation) == ["ok", "ok"]
    assert tenant.numbers("team") == (90, 60, 0)
    assert tenant.line() == []


def test_a_hold_above_everything_there_is_waits_only_for_money(tenant: Tenant) -> None:
    tenant.fund(team=100)
    operation = tenant.reserve(101, waiting=CONTENTION)
    assert post(operation) == ["insufficient_balance"]
    result = answer(tenant.reserve(101, waiting=EXHAUSTED, id=operation.id))
    assert (result.waits, result.reason) == (True, "exhausted")
    assert post(tenant.credit(1, "team")) == ["ok"]
    assert post(operation) == ["ok"]
    assert tenant.line() == []


def test_it_waits_at_the_first_wallet_that_others_hold_up(tenant: Tenant) -> None:
    tenant.fund(user=5, team=50, org=100)
    tenant.hold(45, "team")
    tenant.hold(95, "org")
    assert answer(tenant.reserve(20, "user", "team", "org", waiting=EITHER)).wallet_id == (
        tenant.refs["team"].id
    )
    result = answer(tenant.reserve(500, "user", "team", "org", waiting=EITHER))
    assert (result.wallet_id, result.reason) == (tenant.refs["user"].id, "exhausted")


def test_the_next_wallet_pays_before_anybody_waits(tenant: Tenant) -> None:
    tenant.fund(team=50, org=100)
    tenant.hold(45, "team")
    result = answer(tenant.reserve(20, "team", "org", waiting=CONTENTION))
    assert (result.ok, result.wallet_id) == (True, tenant.refs["org"].id)


def freeze(tenant: Tenant, name: str) -> None:
    Wallet.objects.filter(pk=tenant.refs[name].id).update(frozen=True)


def limited(tenant: Tenant) -> Operation:
    return tenant.reserve(60, counters=(tenant.use(59),), waiting=EITHER)


def frozen(tenant: Tenant) -> Operation:
    freeze(tenant, "team")
    return tenant.reserve(60, waiting=EITHER)


def capped(tenant: Tenant) -> Operation:
    wallet = Candidate(wallet=tenant.refs["team"], counters=(tenant.use(59, "draw"),))
    return tenant.reserve(60, candidates=(wallet,), waiting=EITHER)


def in_debt(tenant: Tenant) -> Operation:
    ledger.post_one(tenant.payment_refund(1_000, f"paypal:refund:{tenant.id}"))
    return tenant.reserve(60, "org", waiting=EITHER)


def of_a_stranger(tenant: Tenant) -> Operation:
    return ledger.Reserve(
        organization_id=tenant.id + 1, id=uuid7(), amount=60, waiting=EITHER,
        candidates=(Candidate(wallet=tenant.refs["team"]),),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (limited, "limit_exceeded"),
        (frozen, "wallet_frozen"),
        (capped, "insufficient_balance"),
        (in_debt, "organization_in_debt"),
        (of_a_stranger, "not_found"),
    ],
)
def test_what_waiting_cannot_mend_is_refused_at_once(
    tenant: Tenant, make: Callable[[Tenant], Operation], code: str
) -> None:
    tenant.fund(team=100, org=10)
    tenant.hold(70)
    assert post(make(tenant)) == [code]
    assert Waiter.objects.count() == 0


def test_a_wallet_that_is_held_up_is_waited_for_though_the_next_is_frozen(tenant: Tenant) -> None:
    tenant.fund(team=100, org=10)
    tenant.hold(70)
    freeze(tenant, "org")
    assert post(tenant.reserve(60, "team", "org", waiting=CONTENTION)) == ["waiting"]


def test_a_refusal_gives_up_the_place(tenant: Tenant) -> None:
    tenant.fund(team=100)
    tenant.hold(70)
    operation = waiter(tenant, 60)
    freeze(tenant, "team")
    assert post(operation) == ["wallet_frozen"]
    assert tenant.line() == []


def test_who_does_not_wait_any_longer_is_refused_and_gives_up_the_place(tenant: Tenant) -> None:
    tenant.fund(team=100)
    tenant.hold(70)
    operation = waiter(tenant, 60)
    refusal = answer(tenant.reserve(60, id=operation.id)).refusal
    assert refusal is not None
    assert (refusal.code, refusal.details["contended"]) == ("insufficient_balance", True)
    assert tenant.line() == []


def test_a_client_that_leaves_frees_its_place(tenant: Tenant) -> None:
    tenant.fund(team=100)
    held = tenant.hold(70)
    gone, behind = waiter(tenant, 60), waiter(tenant, 60)
    assert post(tenant.refund(gone.id)) == ["replayed"]
    assert tenant.line() == [behind.id]
    assert post(tenant.settle(held, 0), behind, gone) == ["ok", "ok", "waiting"]


def test_nobody_ends_the_place_of_another_tenant(tenant: Tenant, stranger: Tenant) -> None:
    tenant.fund(team=100)
    stranger.fund(team=100)
    tenant.hold(70)
    operation = waiter(tenant, 60)
    assert post(stranger.refund(operation.id)) == ["replayed"]
    stranger.hold(70)
    assert post(stranger.reserve(60, id=operation.id, waiting=CONTENTION)) == ["waiting"]
    assert post(stranger.reserve(10, id=operation.id)) == ["ok"]
    place = Waiter.objects.get()
    assert (place.organization_id, place.wallet_id) == (tenant.id, tenant.refs["team"].id)
    stranger_hold = operation.id
    assert post(stranger.refund(stranger_hold)) == ["ok"]
    ledger.post_one(tenant.refund(operation.id))


def test_waiters_are_served_first_come_first_served(tenant: Tenant) -> None:
    tenant.fund(team=100)
    held = tenant.hold(100)
    first, second, third = (waiter(tenant, 40) for _ in range(3))
    newcomer = tenant.reserve(40, waiting=CONTENTION)
    ledger.post_one(tenant.settle(held, 15))
    assert post(newcomer) == ["waiting"]
    assert post(third) == ["waiting"]
    assert post(second, first) == ["ok", "ok"]
    assert tenant.numbers("team") == (85, 80, 0)
    assert tenant.line() == sorted([third.id, newcomer.id])


def test_a_newcomer_has_to_join_the_line_first_where_its_id_decides(tenant: Tenant) -> None:
    tenant.fund(team=100)
    early = next_id()
    held = tenant.hold(100)
    waiting = waiter(tenant, 60)
    ledger.post_one(tenant.settle(held, 0))
    newcomer = tenant.reserve(60, id=early, waiting=CONTENTION)
    assert post(newcomer) == ["waiting"]
    assert post(waiting, newcomer) == ["waiting", "ok"]


def test_a_newcomer_that_does_not_wait_takes_nothing_from_who_does(tenant: Tenant) -> None:
    tenant.fund(team=100)
    held = tenant.hold(100)
    waiting = waiter(tenant, 60)
    ledger.post_one(tenant.settle(held, 0))
    assert post(tenant.reserve(41)) == ["insufficient_balance"]
    assert post(tenant.reserve(40), waiting) == ["ok", "ok"]


def test_behind_others_the_next_wallet_is_tried_first(tenant: Tenant) -> None:
    tenant.fund(team=100, org=50)
    held = tenant.hold(100)
    waiting = waiter(tenant, 60)
    ledger.post_one(tenant.settle(held, 0))
    result = answer(tenant.reserve(50, "team", "org", waiting=CONTENTION))
    assert (result.ok, result.wallet_id) == (True, tenant.refs["org"].id)
    ledger.post_one(waiting)


def test_a_small_request_passes_a_large_one_that_has_only_just_come(tenant: Tenant) -> None:
    tenant.fund(team=100)
    tenant.hold(70)
    large = waiter(tenant, 90)
    assert post(tenant.reserve(10)) == ["ok"]
    assert tenant.line() == [large.id]


def test_a_large_request_that_has_waited_is_not_starved_by_small_ones(tenant: Tenant) -> None:
    tenant.fund(team=100)
    held = tenant.hold(70)
    large = waiter(tenant, 90)
    has_waited(large.id, 2.1)
    small = tenant.reserve(10, waiting=CONTENTION)
    assert post(small) == ["waiting"]
    assert post(tenant.settle(held, 0), small, large) == ["ok", "ok", "ok"]
    assert tenant.numbers("team") == (100, 100, 0)


def test_who_waits_for_money_that_is_not_there_stands_in_nobodys_way(tenant: Tenant) -> None:
    tenant.fund(team=100)
    hopeless = waiter(tenant, 101, waiting=EXHAUSTED)
    has_waited(hopeless.id, 30)
    assert post(tenant.reserve(100)) == ["ok"]


def test_the_places_of_a_dead_process_block_nobody(tenant: Tenant) -> None:
    tenant.fund(team=100)
    held = tenant.hold(100)
    dead, large = waiter(tenant, 60), waiter(tenant, 90)
    has_waited(large.id, 30)
    has_died(dead.id, large.id)
    ledger.post_one(tenant.settle(held, 0))
    assert post(tenant.reserve(100)) == ["ok"]
    assert tenant.line() == [dead.id, large.id]


def test_a_dismissed_place_blocks_nobody_and_waits_no_longer(tenant: Tenant) -> None:
    tenant.fund(team=100)
    held = tenant.hold(60)
    operation = waiter(tenant, 60)
    has_waited(operation.id, 30)
    Waiter.objects.update(dismissed=True)
    assert post(tenant.reserve(40)) == ["ok"]
    refusal = answer(operation).refusal
    assert refusal is not None
    assert refusal.details["dismissed"] is True
    assert tenant.line() == []
    ledger.post_one(tenant.refund(held))


def test_money_held_for_a_refund_minds_no_line(tenant: Tenant) -> None:
    tenant.fund(team=100)
    held = tenant.hold(100)
    waiter(tenant, 60)
    ledger.post_one(tenant.settle(held, 0))
    assert post(tenant.reserve(100, kind="payment_refund", ttl=None)) == ["ok"]


def keep_alive() -> None:
    """However slowly the rest is made, whoever waits now is alive for an hour."""
    until = Waiter.objects.latest("lease_until").lease_until + timedelta(hours=1)
    Waiter.objects.update(lease_until=until)
    Wallet.objects.filter(pk__in=Waiter.objects.values("wallet")).update(waiting_until=until)


def fill(tenant: Tenant, count: int) -> None:
    """Places of others in the line of the team's wallet."""
    pattern = Waiter.objects.get()
    rows = []
    for _ in range(count):
        row = Waiter.objects.get(pk=pattern.pk)
        row.pk = uuid7()
        rows.append(row)
    Waiter.objects.bulk_create(rows)


def test_a_thousand_may_wait_and_one_more_may_not(tenant: Tenant) -> None:
    tenant.fund(team=100)
    tenant.hold(70)
    first = waiter(tenant, 60)
    keep_alive()
    fill(tenant, 998)
    last, over = tenant.reserve(60, waiting=CONTENTION), tenant.reserve(60, waiting=CONTENTION)
    results = ledger.post([last, over])
    assert codes(results) == ["waiting", "insufficient_balance"]
    assert results[1].refusal is not None
    assert results[1].refusal.details["waiters_full"] is True
    assert post(first, last) == ["waiting", "waiting"]
    assert post(tenant.refund(last.id), over) == ["replayed", "waiting"]
    assert Waiter.objects.count() == 1_000


def test_dead_places_do_not_count_among_the_thousand(tenant: Tenant) -> None:
    tenant.fund(team=100)
    tenant.hold(70)
    waiter(tenant, 60)
    fill(tenant, 999)
    has_died(*Waiter.objects.values_list("id", flat=True))
    assert post(tenant.reserve(60, waiting=CONTENTION)) == ["waiting"]


def test_asking_again_renews_the_place_and_keeps_its_beginning(tenant: Tenant) -> None:
    tenant.fund(team=100)
    tenant.hold(70)
    operation = waiter(tenant, 60)
    before = Waiter.objects.get()
    assert post(operation) == ["waiting"]
    after = Waiter.objects.get()
    assert after.since == before.since
    assert after.lease_until > before.lease_until
    assert tenant.wallet("team").waiting_until == after.lease_until


def test_a_hold_taken_for_the_waiter_meanwhile_is_its_own(tenant: Tenant) -> None:
    """The approval of its ticket moved the money and took the hold in one step."""
    tenant.fund(org=100)
    operation = waiter(tenant, 60, waiting=EXHAUSTED)
    for_it = tenant.reserve(60, id=operation.id, last=True)
    assert post(for_it, tenant.move("org", "team", 60)) == ["ok", "ok"]
    result = answer(operation)
    assert (result.ok, result.replayed, result.state) == (True, True, "held")
    assert tenant.line() == []


def test_a_hold_marked_last_falls_through_to_wallets_locked_for_it(tenant: Tenant) -> None:
    tenant.fund(team=10, org=100)
    result = answer(tenant.reserve(60, "user", "team", "org", last=True))
    assert (result.ok, result.wallet_id) == (True, tenant.refs["org"].id)


def test_waiting_writes_nothing_but_the_place(tenant: Tenant) -> None:
    tenant.fund(team=100)
    tenant.hold(70)
    before = tables()
    operation = waiter(tenant, 60, counters=(tenant.use(1_000),))
    ledger.post_one(tenant.refund(operation.id))
    after = tables()
    Wallet.objects.filter(pk=tenant.refs["team"].id).update(waiting_until=None)
    changed = {name for name in before if before[name] != tables()[name]}
    assert changed == {"wallets_limitcounter"}
    assert after["wallets_limitcounter"][0][-2:] == (0, 0)
