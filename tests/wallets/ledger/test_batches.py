"""A batch: decided in a fixed order, written with a fixed number of statements."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from keeptrusts.lib import money
from keeptrusts.lib.ids import uuid7
from tests.wallets.ledger.world import FAR, Tenant, codes
from wallets import ledger
from wallets.ledger import Candidate, Operation
from wallets.models import CreditLot, Entry, Reservation

pytestmark = [pytest.mark.django_db, pytest.mark.engines]


@contextmanager
def statements() -> Iterator[list[str]]:
    """What is sent to the database meanwhile, transaction control left out."""
    sent: list[str] = []

    def record(execute: Any, sql: str, *rest: Any) -> Any:
        if not sql.startswith(("BEGIN", "SAVEPOINT", "RELEASE")):
            sent.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(record):
        yield sent


def count(operations: Sequence[Operation]) -> int:
    with statements() as sent:
        assert set(codes(ledger.post(operations))) == {"ok"}
    return len(sent)


def on_this_engine(*, postgres: int, sqlite: int) -> int:
    return postgres if connection.vendor == "postgresql" else sqlite


@pytest.mark.parametrize("size", [1, 8, 32, 128])
def test_reserves_send_as_many_statements_whatever_the_size(tenant: Tenant, size: int) -> None:
    """Look for the holds, lock the wallet, write holds, entries and wallet."""
    tenant.fund(team=1_000)
    batch = [tenant.reserve(1) for _ in range(size)]
    assert count(batch) == on_this_engine(postgres=3, sqlite=5)


@pytest.mark.parametrize("size", [1, 8, 32, 128])
def test_settles_send_as_many_statements_whatever_the_size(tenant: Tenant, size: int) -> None:
    """Lock the holds, lock the wallet, write holds, entries and wallet."""
    tenant.fund(team=1_000)
    ids = [tenant.hold(1) for _ in range(size)]
    batch = [tenant.settle(id, 1) for id in ids]
    assert count(batch) == on_this_engine(postgres=3, sqlite=5)


@pytest.mark.parametrize("size", [1, 8, 32, 128])
def test_limits_and_the_whole_cascade_add_a_fixed_number(tenant: Tenant, size: int) -> None:
    """And look for, make and lock counters, lock two ranks more, write the counters."""
    tenant.fund(org=1_000)
    use, drawn = (tenant.use(1_000),), (tenant.use(1_000, "draw"),)
    candidates = (
        Candidate(wallet=tenant.refs["user"]),
        Candidate(wallet=tenant.refs["team"]),
        Candidate(wallet=tenant.refs["org"], counters=drawn),
    )
    first = [tenant.reserve(1, candidates=candidates, counters=use) for _ in range(size)]
    again = [tenant.reserve(1, candidates=candidates, counters=use) for _ in range(size)]
    assert count(first) == on_this_engine(postgres=8, sqlite=11)
    assert count(again) == on_this_engine(postgres=7, sqlite=9)


def entries_since(tenant: Tenant, name: str, seq: int = 1) -> list[tuple[str, int, int]]:
    rows = Entry.objects.filter(wallet_id=tenant.refs[name].id, seq__gt=seq).order_by("seq")
    return list(rows.values_list("type", "d_posted", "d_reserved"))


def test_operations_of_one_wallet_are_decided_in_order(tenant: Tenant) -> None:
    tenant.fund(team=10)
    ids = [uuid7() for _ in range(3)]
    batch = [
        tenant.reserve(6, id=ids[0]),
        tenant.reserve(6, id=ids[1]),
        tenant.reserve(4, id=ids[2]),
    ]
    assert codes(ledger.post(batch)) == ["ok", "insufficient_balance", "ok"]
    assert entries_since(tenant, "team") == [("reserve", 0, 6), ("reserve", 0, 4)]


def test_a_rank_is_decided_before_the_next(tenant: Tenant) -> None:
    """The transfer needs the organisation's wallet, so the hold comes first; it stands last."""
    tenant.fund(team=10)
    batch = [tenant.move("team", "org", 10), tenant.reserve(10)]
    assert codes(ledger.post(batch)) == ["insufficient_balance", "ok"]
    assert entries_since(tenant, "team") == [("reserve", 0, 10)]


def test_what_falls_through_takes_its_place_in_the_next_rank(tenant: Tenant) -> None:
    tenant.fund(team=10)
    batch = [tenant.reserve(10, "user", "team"), tenant.reserve(10, "team")]
    assert codes(ledger.post(batch)) == ["ok", "insufficient_balance"]


def test_money_from_outside_comes_in_the_last_round(tenant: Tenant) -> None:
    """Not even a credit to the team's own wallet helps a hold of the same batch."""
    tenant.fund(team=10)
    batch = [
        tenant.credit(10, "team"),
        tenant.payment_refund(10, "paypal:refund:1", wallet=tenant.refs["team"]),
        tenant.reserve(10),
        tenant.reserve(1),
        tenant.credit(10, "org"),
        tenant.reserve(10, "org"),
    ]
    assert codes(ledger.post(batch)) == ["ok", "ok", "ok", "insufficient_balance", "ok", "ok"]
    assert entries_since(tenant, "team") == [
        ("reserve", 0, 10), ("credit", 10, 0), ("payment_refund", -10, 0),
    ]  # fmt: skip


def test_a_transfer_serves_later_holds_of_the_upper_wallet(tenant: Tenant) -> None:
    tenant.fund(team=10)
    batch = [tenant.reserve(10, "org"), tenant.move("team", "org", 10), tenant.reserve(10, "org")]
    assert codes(ledger.post(batch)) == ["insufficient_balance", "ok", "ok"]


NAMED_AGAIN: dict[str, Callable[[Tenant, UUID], list[Operation]]] = {
    "settle twice": lambda t, id: [t.reserve(5, id=id), t.settle(id, 3), t.settle(id, 3)],
    "beat and extend": lambda t, id: [t.reserve(5, id=id), t.heartbeat(id, 1), t.extend(id, 1, 1)],
    "hold and return": lambda t, id: [t.reserve(5, id=id), t.refund(id), t.reserve(10)],
}


@pytest.mark.parametrize("name", NAMED_AGAIN)
def test_what_names_a_hold_again_sees_what_came_before(tenant: Tenant, name: str) -> None:
    tenant.fund(team=10)
    results = ledger.post(NAMED_AGAIN[name](tenant, uuid7()))
    assert [r.ok for r in results] == [True] * 3


def test_results_come_in_the_order_of_the_operations(tenant: Tenant) -> None:
    tenant.fund(user=100, team=100)
    amounts = [3, 5, 7, 11]
    batch = [tenant.reserve(n, "user" if n % 3 else "team") for n in amounts]
    assert [(r.amount, r.reservation) for r in ledger.post(batch)] == [
        (operation.amount, operation.id) for operation in batch
    ]


def test_alongside_sees_every_operation_with_its_result_once(tenant: Tenant) -> None:
    tenant.fund(team=10)
    id = tenant.hold(2)
    seen: list[Any] = []
    batch = [tenant.settle(id, 1), tenant.settle(id, 1), tenant.reserve(99), tenant.reserve(1)]
    ledger.post(batch, alongside=seen.extend)
    assert [operation for operation, _ in seen] == batch
    assert codes([result for _, result in seen]) == ["ok", "replayed", "insufficient_balance", "ok"]


def test_an_empty_batch_asks_the_database_nothing(tenant: Tenant) -> None:
    with statements() as sent:
        assert ledger.post([]) == []
    assert sent == []


def test_a_note_moves_nothing(tenant: Tenant) -> None:
    assert ledger.post_one(ledger.Note(organization_id=tenant.id)).state == "noted"


def test_an_expiry_takes_what_is_due_as_far_as_it_is_free(tenant: Tenant) -> None:
    tenant.fund(org=100)
    tenant.hold(70, "org")
    expire = ledger.Expire(
        organization_id=tenant.id, wallet=tenant.refs["org"], compute=lambda row: row.posted // 2
    )
    results = ledger.post([expire, expire])
    assert [(r.state, r.amount) for r in results] == [("expired", 30), ("nothing_due", 0)]
    assert tenant.numbers("org") == (70, 70, 0)


TEXTS = ["", "NULL", '"', "\\", "{a,b}", "it's", "%s $1 %(x)s", "two\nlines\t", "é 😀", "x" * 120]


def test_texts_arrive_as_they_were_sent(tenant: Tenant) -> None:
    tenant.fund(team=100)
    batch = [tenant.reserve(1, model=text, facts={text: [text, None, 1]}) for text in TEXTS]
    assert set(codes(ledger.post(batch))) == {"ok"}
    for operation in batch:
        row = Reservation.objects.get(pk=operation.id)
        assert (row.model, row.facts) == (operation.model, operation.facts)
    models = Entry.objects.filter(type="reserve", organization=tenant.id).order_by("seq")
    assert list(models.values_list("model", flat=True)) == TEXTS


@pytest.mark.parametrize("amount", [1, 10**16, 10_000_000 * money.NANO, money.MAX_BALANCE])
def test_the_largest_amounts_are_exact(tenant: Tenant, amount: int) -> None:
    ledger.post([tenant.credit(amount, "team")])
    id = tenant.hold(amount)
    result = ledger.post_one(tenant.settle(id, amount + money.MAX_BALANCE))
    assert (result.charged, result.written_off) == (amount, money.MAX_BALANCE)
    assert tenant.numbers("team") == (0, 0, 0)


def test_a_credit_that_expires_opens_a_lot(tenant: Tenant) -> None:
    ledger.post([tenant.credit(5), tenant.credit(7, expires_at=FAR)])
    lots = CreditLot.objects.filter(wallet_id=tenant.refs["org"].id)
    assert list(lots.values_list("seq", "amount", "expires_at")) == [(2, 7, FAR)]


def test_what_is_no_operation_is_buried(tenant: Tenant) -> None:
    stray = Operation(organization_id=tenant.id)
    assert codes(ledger.post([stray, tenant.credit(5)])) == ["ledger_fault", "ok"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("size", [1, 2, 20])
def test_what_is_written_alongside_knows_how_many_rows_it_changed(
    tenant: Tenant, size: int
) -> None:
    """A veto may depend on it: a ticket that was dismissed meanwhile is not approved."""
    tenant.fund(team=100)
    changed: list[int] = []

    def write(_pairs: object) -> None:
        nobody = Reservation.objects.filter(pk=uuid7())
        changed.append(nobody.update(provider="nobody"))

    ledger.post([tenant.reserve(1) for _ in range(size)], alongside=write)
    assert changed == [0]
