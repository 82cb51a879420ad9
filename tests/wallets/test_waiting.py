"""What goes on around a line: places renewed, given up, looked at, rebuilt and cleared away."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db.models import F

from keeptrusts.lib.ids import uuid7
from tests.wallets.ledger.world import Tenant, codes, make_tenant
from wallets import ledger, verification, waiting
from wallets.ledger import Candidate, CounterUse, Waiting
from wallets.models import Waiter, Wallet

pytestmark = [pytest.mark.django_db, pytest.mark.engines]

CONTENTION = Waiting(reasons=frozenset({"contention"}), process="gateway-1:4242")


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    """A team with 100 of which 70 are held; everything must be right after the test."""
    made = make_tenant().fund(team=100)
    made.hold(70)
    yield made
    assert verification.verify().problems == []


def place(tenant: Tenant, amount: int = 60) -> ledger.Reserve:
    operation = tenant.reserve(amount, waiting=CONTENTION)
    assert codes(ledger.post([operation])) == ["waiting"]
    return operation


def test_a_place_says_who_waits_for_what(tenant: Tenant) -> None:
    operation = place(tenant)
    row = waiting.live().get()
    assert (row.id, row.organization_id, row.wallet_id, row.part, row.amount, row.reason) == (
        operation.id, tenant.id, tenant.refs["team"].id, 0, 60, "contention",
    )  # fmt: skip
    assert (row.process, row.ticket_id, row.dismissed) == ("gateway-1:4242", None, False)
    assert row.lease_until - row.since >= timedelta(seconds=5) - timedelta(milliseconds=50)


def test_renewing_moves_the_ends_and_tells_the_wallet(tenant: Tenant) -> None:
    first, second, other = place(tenant), place(tenant), place(tenant)
    before = {row.id: row.lease_until for row in Waiter.objects.all()}
    answered = waiting.renew([first.id, second.id, uuid7()], timedelta(seconds=60))
    assert answered == {first.id: False, second.id: False}
    after = {row.id: row.lease_until for row in Waiter.objects.all()}
    assert after[first.id] == after[second.id] == tenant.wallet("team").waiting_until
    assert after[first.id] - before[first.id] > timedelta(seconds=50)
    assert after[other.id] == before[other.id]


def test_a_shorter_lease_takes_nothing_away(tenant: Tenant) -> None:
    operation = place(tenant)
    before = Waiter.objects.get().lease_until
    assert waiting.renew([operation.id], timedelta(0)) == {operation.id: False}
    assert Waiter.objects.get().lease_until == before
    assert tenant.wallet("team").waiting_until == before


def test_a_place_that_lapsed_is_not_brought_back(tenant: Tenant) -> None:
    operation = place(tenant)
    Waiter.objects.update(lease_until=F("lease_until") - timedelta(minutes=1))
    assert waiting.renew([operation.id]) == {}
    assert list(waiting.live()) == []
    assert codes(ledger.post([operation])) == ["waiting"]
    assert waiting.renew([operation.id]) == {operation.id: False}


def test_renewing_tells_what_was_dismissed(tenant: Tenant) -> None:
    kept, dismissed = place(tenant), place(tenant)
    Waiter.objects.filter(id=dismissed.id).update(dismissed=True)
    assert waiting.renew([kept.id, dismissed.id]) == {kept.id: False, dismissed.id: True}
    assert [row.id for row in waiting.live()] == [kept.id]


def test_leaving_gives_up_the_places_named(tenant: Tenant) -> None:
    first, second, third = place(tenant), place(tenant), place(tenant)
    waiting.leave([third.id, first.id, uuid7()])
    assert tenant.line() == [second.id]
    waiting.leave([])
    assert tenant.line() == [second.id]


def test_standing_is_what_each_wallet_has_available(tenant: Tenant) -> None:
    ids = [tenant.refs["team"].id, tenant.refs["org"].id]
    ledger.post_one(tenant.payment_refund(5, f"paypal:refund:{tenant.id}"))
    assert waiting.standing(ids) == {ids[0]: 30, ids[1]: 0}


def test_those_in_line_come_in_turn(tenant: Tenant) -> None:
    stream = tenant.hold(20)
    first, second = place(tenant), place(tenant)
    extension = tenant.extend(stream, 1, 15, waiting=CONTENTION)
    ledger.post([extension])
    assert [row.id for row in waiting.live()] == [stream, first.id, second.id]


def test_a_hold_that_waits_is_rebuilt_as_it_was_asked_for(tenant: Tenant) -> None:
    since = datetime(2100, 1, 1, 12, tzinfo=UTC)
    use = CounterUse(
        key=f"limit:{tenant.id}", organization_id=tenant.id, period_start=since, cap=1_000,
        code="daily_limit_exceeded", team_id=7, paid_by=3,
    )  # fmt: skip
    candidates = (
        Candidate(wallet=tenant.refs["team"]),
        Candidate(wallet=tenant.refs["org"], counters=(use,)),
    )
    asked = tenant.reserve(
        60, candidates=candidates, counters=(use,), actor="usr_1", request_id="req_1", team_id=7,
        user_id=8, consumer_group_id=9, key_id=10, provider="openai", model="gpt-4o-mini",
        facts={"route": "/v1/chat/completions", "tags": {"a": "ü"}}, ttl=timedelta(seconds=90),
    )  # fmt: skip
    waits = ledger.Reserve(
        **{name: getattr(asked, name) for name in asked.__dataclass_fields__ if name != "waiting"},
        waiting=CONTENTION,
    )
    assert codes(ledger.post([waits])) == ["waiting"]
    assert waiting.reserve_of(Waiter.objects.get()) == asked


def test_an_extension_is_not_rebuilt(tenant: Tenant) -> None:
    stream = tenant.hold(20)
    ledger.post([tenant.extend(stream, 1, 15, waiting=CONTENTION)])
    with pytest.raises(ValueError, match="belongs to its stream"):
        waiting.reserve_of(Waiter.objects.get())


def test_places_dead_for_long_are_cleared_away(tenant: Tenant) -> None:
    old, recent, alive = place(tenant), place(tenant), place(tenant)
    for operation, minutes in ((old, 61), (recent, 59)):
        past = F("lease_until") - timedelta(minutes=minutes, seconds=6)
        Waiter.objects.filter(id=operation.id).update(lease_until=past)
    assert waiting.clear() == 1
    assert tenant.line() == [recent.id, alive.id]


def test_saving_the_settings_of_a_wallet_forgets_nobody_in_its_line(tenant: Tenant) -> None:
    stale = Wallet.objects.get(pk=tenant.refs["team"].id)
    place(tenant)
    stale.low_threshold = 5
    stale.save()
    assert tenant.wallet("team").waiting_until == Waiter.objects.get().lease_until


def test_verify_finds_a_place_its_wallet_does_not_know_of() -> None:
    tenant = make_tenant().fund(team=100)
    tenant.hold(70)
    operation = place(tenant)
    Wallet.objects.update(waiting_until=None)
    assert verification.verify().problems == [
        f"waiter {_shown(operation)} is not known to its wallet"
    ]


def test_verify_finds_a_place_of_somebody_who_was_served() -> None:
    tenant = make_tenant().fund(team=100)
    tenant.hold(70)
    operation = place(tenant)
    row = Waiter.objects.get()
    ledger.post([tenant.reserve(30, id=operation.id)])
    row.save(force_insert=True)
    assert verification.verify().problems == [
        f"waiter {_shown(operation)} has what it waits for, or nothing to wait for"
    ]


def _shown(operation: ledger.Reserve) -> str:
    """An id as the engine keeps it."""
    return str(operation.id) if connection.vendor == "postgresql" else operation.id.hex
