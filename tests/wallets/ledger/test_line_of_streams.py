"""Running streams in the line: extensions that wait, and holds that move to another wallet."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F

from keeptrusts.lib.ids import uuid7
from tests.wallets.ledger.test_line import CONTENTION, EITHER, has_waited, post, waiter
from tests.wallets.ledger.world import Tenant, tables
from wallets import ledger
from wallets.ledger import Candidate
from wallets.models import Entry, Reservation, Waiter, Wallet

pytestmark = [pytest.mark.django_db, pytest.mark.engines]


def test_an_extension_that_only_others_hold_up_waits(tenant: Tenant) -> None:
    tenant.fund(team=100)
    stream, other = tenant.hold(10), tenant.hold(90)
    extension = tenant.extend(stream, 1, 20, waiting=CONTENTION)
    result = ledger.post([extension])[0]
    assert (result.waits, result.reason, result.reservation) == (True, "contention", stream)
    assert tenant.line() == [stream]
    assert post(tenant.settle(other, 0), extension) == ["ok", "ok"]
    assert tenant.numbers("team") == (100, 30, 0)
    assert tenant.line() == []


def test_an_extension_that_its_own_hold_stands_in_the_way_of_is_refused(tenant: Tenant) -> None:
    tenant.fund(team=100)
    stream = tenant.hold(90)
    assert post(tenant.extend(stream, 1, 11, waiting=EITHER)) == ["insufficient_balance"]
    assert Waiter.objects.count() == 0


@pytest.mark.parametrize("end", ["settle", "refund", "sweep"])
def test_the_end_of_a_stream_ends_what_it_waits_for(tenant: Tenant, end: str) -> None:
    tenant.fund(team=100)
    stream, _ = tenant.hold(10), tenant.hold(90)
    post(tenant.extend(stream, 1, 20, waiting=CONTENTION))
    close = tenant.settle(stream, 5) if end == "settle" else getattr(tenant, end)(stream)
    assert post(close) == ["ok"]
    assert tenant.line() == []


def test_a_heartbeat_and_an_early_sweep_leave_the_place(tenant: Tenant) -> None:
    tenant.fund(team=100)
    stream, _ = tenant.hold(10), tenant.hold(90)
    post(tenant.extend(stream, 1, 20, waiting=CONTENTION))
    early = ledger.Sweep(organization_id=tenant.id, id=stream)
    assert post(tenant.heartbeat(stream, 3), early) == ["ok", "replayed"]
    assert tenant.line() == [stream]


def test_extensions_of_a_batch_go_first_by_the_age_of_their_streams(tenant: Tenant) -> None:
    tenant.fund(team=100)
    old, young = tenant.hold(10), tenant.hold(10)
    batch = (tenant.reserve(60), tenant.extend(young, 1, 40), tenant.extend(old, 1, 30))
    assert post(*batch) == ["insufficient_balance", "ok", "ok"]
    assert post(tenant.extend(young, 2, 10), tenant.extend(old, 2, 10)) == [
        "insufficient_balance", "ok",
    ]  # fmt: skip


def test_what_a_settle_frees_serves_the_extensions_given_before_it(tenant: Tenant) -> None:
    tenant.fund(team=100)
    old, young, other = tenant.hold(10), tenant.hold(10), tenant.hold(80)
    batch = (tenant.extend(young, 1, 40), tenant.settle(other, 0), tenant.extend(old, 1, 40))
    assert post(*batch) == ["ok", "ok", "ok"]


def test_an_extension_goes_before_every_hold_that_waits(tenant: Tenant) -> None:
    tenant.fund(team=100)
    other = tenant.hold(90)
    hold = waiter(tenant, 60)
    stream = tenant.hold(10)
    extension = tenant.extend(stream, 1, 60, waiting=CONTENTION)
    assert post(extension) == ["waiting"]
    assert tenant.line() == [stream, hold.id]
    assert post(tenant.settle(other, 0), hold) == ["ok", "waiting"]
    assert post(extension) == ["ok"]


def test_a_stream_goes_past_a_large_hold_that_waits_for_what_it_holds(tenant: Tenant) -> None:
    tenant.fund(team=100)
    stream = tenant.hold(50)
    large = waiter(tenant, 90)
    has_waited(large.id, 10)
    assert post(tenant.extend(stream, 1, 20)) == ["ok"]
    assert post(tenant.settle(stream, 10), large) == ["ok", "ok"]


def test_a_younger_stream_takes_what_an_older_one_cannot_use_yet(tenant: Tenant) -> None:
    """Both hold money: one of them has to come to its end."""
    tenant.fund(team=100)
    old, young = tenant.hold(40), tenant.hold(50)
    post(tenant.extend(old, 1, 30, waiting=CONTENTION))
    Waiter.objects.update(since=F("since") - timedelta(seconds=10))
    assert post(tenant.extend(young, 1, 10)) == ["ok"]


def test_a_younger_stream_leaves_what_an_older_one_waits_for(tenant: Tenant) -> None:
    tenant.fund(team=100)
    old, young, other = tenant.hold(10), tenant.hold(10), tenant.hold(75)
    extension = tenant.extend(old, 1, 30, waiting=CONTENTION)
    assert post(extension, tenant.settle(other, 50)) == ["waiting", "ok"]
    assert post(tenant.extend(young, 1, 1, waiting=CONTENTION)) == ["waiting"]
    assert post(extension) == ["ok"]


# Moves


def test_a_move_returns_the_old_hold_whole_and_takes_the_new_one(tenant: Tenant) -> None:
    tenant.fund(team=100, org=500)
    use = (tenant.use(300),)
    old = tenant.hold(90, counters=use)
    ledger.post_one(tenant.heartbeat(old, 33))
    move = tenant.move_hold(old, 250, "team", "org", counters=use)
    result = ledger.post_one(move)
    assert (result.state, result.wallet_id, result.amount, result.reservation) == (
        "held", tenant.refs["org"].id, 250, move.to.id,
    )  # fmt: skip
    assert (tenant.numbers("team"), tenant.numbers("org")) == ((100, 0, 0), (500, 250, 0))
    assert tenant.counter() == (250, 0)
    rows = {row.pk: (row.state, row.charged, row.checkpoint) for row in Reservation.objects.all()}
    assert rows == {old: ("refunded", 0, 33), move.to.id: ("held", 0, 33)}
    written = Entry.objects.filter(organization=tenant.id).order_by("id").reverse()[:2]
    assert [(e.type, e.reason, e.d_posted, e.d_reserved) for e in written] == [
        ("reserve", "", 0, 250), ("refund", "moved", 0, -90),
    ]  # fmt: skip
    assert result.seqs == [(e.wallet_id, e.seq) for e in reversed(written)]
    assert post(tenant.settle(move.to.id, 77)) == ["ok"]
    assert (tenant.numbers("org"), tenant.counter()) == ((423, 0, 0), (0, 77))


def test_a_move_may_stay_on_its_wallet_with_what_it_gives_back(tenant: Tenant) -> None:
    tenant.fund(team=100)
    old = tenant.hold(90)
    assert post(tenant.move_hold(old, 101)) == ["insufficient_balance"]
    assert post(tenant.move_hold(old, 100)) == ["ok"]
    assert tenant.numbers("team") == (100, 100, 0)


def test_a_limit_sees_only_what_a_move_adds(tenant: Tenant) -> None:
    tenant.fund(team=100, org=500)
    use = (tenant.use(120),)
    old = tenant.hold(90, counters=use)
    assert post(tenant.move_hold(old, 121, "org", counters=use)) == ["limit_exceeded"]
    assert post(tenant.move_hold(old, 120, "org", counters=use)) == ["ok"]
    assert tenant.counter() == (120, 0)


def test_a_draw_cap_counts_for_a_move(tenant: Tenant) -> None:
    tenant.fund(team=100, org=500)
    old = tenant.hold(90)
    drawn = (Candidate(wallet=tenant.refs["org"], counters=(tenant.use(99, "draw"),)),)
    assert post(tenant.move_hold(old, 100, candidates=drawn)) == ["insufficient_balance"]
    assert post(tenant.move_hold(old, 99, candidates=drawn)) == ["ok"]


REFUSED: dict[str, Any] = {
    "nobody covers it": lambda t, id: t.move_hold(id, 600, "team", "org", waiting=EITHER),
    "to a wallet below": lambda t, id: t.move_hold(id, 10, "user"),
    "no such hold": lambda t, id: t.move_hold(uuid7(), 10, "org"),
    "of another kind": lambda t, id: t.move_hold(id, 10, "org", kind="dispute"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_move_changes_nothing(tenant: Tenant, name: str) -> None:
    tenant.fund(user=20, team=100, org=500)
    old = tenant.hold(90)
    before = tables()
    results = ledger.post([REFUSED[name](tenant, old)])
    assert (results[0].ok, results[0].waits) == (False, False)
    assert tables() == before


def test_a_move_from_or_to_a_frozen_wallet(tenant: Tenant) -> None:
    tenant.fund(team=100, org=500)
    old = tenant.hold(90)
    Wallet.objects.filter(pk=tenant.refs["org"].id).update(frozen=True)
    assert post(tenant.move_hold(old, 100, "org")) == ["wallet_frozen"]
    Wallet.objects.filter(pk=tenant.refs["org"].id).update(frozen=False)
    Wallet.objects.filter(pk=tenant.refs["team"].id).update(frozen=True)
    assert post(tenant.move_hold(old, 100, "org")) == ["ok"]


def test_a_move_repeated_after_a_lost_answer_is_answered_as_before(tenant: Tenant) -> None:
    tenant.fund(team=100, org=500)
    move = tenant.move_hold(tenant.hold(90), 250, "team", "org")
    first = ledger.post_one(move)
    before = tables()
    again = ledger.post_one(move)
    assert again.replayed is True
    assert (again.state, again.wallet_id, again.amount, again.reservation) == (
        first.state, first.wallet_id, first.amount, first.reservation,
    )  # fmt: skip
    assert tables() == before
    assert post(tenant.refund(move.to.id), move) == ["ok", "replayed"]
    assert tenant.numbers("org") == (500, 0, 0)


def test_a_move_to_an_id_that_is_taken_is_refused(tenant: Tenant) -> None:
    tenant.fund(team=100, org=500)
    old, other = tenant.hold(50), tenant.hold(20, "org")
    assert post(tenant.move_hold(old, 20, "org", to=other)) == ["conflict"]
    assert tenant.numbers("team") == (100, 50, 0)


@pytest.mark.parametrize("end", ["settle", "refund", "sweep"])
def test_a_hold_that_has_ended_does_not_move(tenant: Tenant, end: str) -> None:
    tenant.fund(team=100, org=500)
    old = tenant.hold(50)
    close = tenant.settle(old, 5) if end == "settle" else getattr(tenant, end)(old)
    assert post(close, tenant.move_hold(old, 20, "org")) == ["ok", "conflict"]
    assert tenant.numbers("org") == (500, 0, 0)


def test_no_move_touches_another_tenant(tenant: Tenant, stranger: Tenant) -> None:
    tenant.fund(team=100, org=500)
    stranger.fund(team=100, org=500)
    own, foreign = tenant.hold(50), stranger.hold(50)
    before = tables()
    to_foreign = stranger.reserve(20, "org")
    batch = (
        tenant.move_hold(foreign, 20, "org"),
        stranger.move_hold(own, 20, "org"),
        ledger.Move(organization_id=tenant.id, id=own, to=to_foreign),
    )
    assert post(*batch) == ["not_found", "not_found", "not_found"]
    assert tables() == before


def test_a_move_ends_the_wait_of_its_extension(tenant: Tenant) -> None:
    tenant.fund(team=100, org=500)
    stream, _ = tenant.hold(10), tenant.hold(90)
    post(tenant.extend(stream, 1, 20, waiting=CONTENTION))
    assert post(tenant.move_hold(stream, 600, "org")) == ["insufficient_balance"]
    assert tenant.line() == [stream]
    assert post(tenant.move_hold(stream, 60, "org")) == ["ok"]
    assert tenant.line() == []


def test_a_move_goes_before_holds_that_wait_and_behind_older_extensions(tenant: Tenant) -> None:
    tenant.fund(team=100, org=100)
    stream = tenant.hold(10)
    held = tenant.hold(100, "org")
    waiter(tenant, 50, "org")
    ledger.post_one(tenant.settle(held, 0))
    assert post(tenant.move_hold(stream, 90, "org")) == ["ok"]
