"""When the database refuses, waits or is away: the others go through, nothing is lost."""

import sqlite3
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection, connections

from tests.plugins.postgres_server import PostgresServer
from tests.wallets.ledger.racing import race
from tests.wallets.ledger.world import Tenant, codes, tables
from wallets import ledger
from wallets.errors import LedgerUnavailable
from wallets.models import DeadLetter, Entry, Reservation, Wallet

pytestmark = [pytest.mark.django_db, pytest.mark.engines]


@pytest.mark.parametrize("position", [0, 3, 7])
@pytest.mark.parametrize(
    "fields",
    [
        {"model": "no UTF-8: \ud800"},
        {"facts": {"a set": {1}}},
        {"candidates": ()},
        {"ttl": "soon"},
    ],
    ids=str,
)  # fmt: skip
def test_a_poisoned_operation_is_buried_alone(
    tenant: Tenant, position: int, fields: dict[str, Any]
) -> None:
    tenant.fund(team=1_000)
    batch = [tenant.reserve(7) for _ in range(7)]
    batch.insert(position, tenant.reserve(7, **fields))
    results = ledger.post(batch)
    expected = ["ok"] * 7
    expected.insert(position, "ledger_fault")
    assert codes(results) == expected
    assert tenant.numbers("team") == (1_000, 49, 0)
    letter = DeadLetter.objects.get()
    assert letter.operation == "Reserve"
    assert str(batch[position].id) in letter.payload


@pytest.mark.postgres_only
def test_text_too_long_for_its_column_is_buried_alone(tenant: Tenant) -> None:
    tenant.fund(team=1_000)
    batch = [tenant.reserve(7), tenant.reserve(7, model="x" * 121), tenant.reserve(7)]
    assert codes(ledger.post(batch)) == ["ok", "ledger_fault", "ok"]
    assert "too long" in DeadLetter.objects.get().error


def test_an_impossible_settle_leaves_its_hold_to_the_sweeper(tenant: Tenant) -> None:
    tenant.fund(team=100)
    id, other = tenant.hold(10), tenant.hold(10)
    assert codes(ledger.post([tenant.settle(id, -5), tenant.settle(other, 4)])) == [
        "ledger_fault",
        "ok",
    ]
    assert Reservation.objects.get(pk=id).state == "held"
    ledger.post_one(tenant.sweep(id))
    assert tenant.numbers("team") == (96, 0, 0)


def test_what_alongside_cannot_write_falls_with_its_operation_only(tenant: Tenant) -> None:
    tenant.fund(team=100)
    batch = [tenant.reserve(1, attachment=n) for n in range(4)]

    def write(pairs: Any) -> None:
        if any(operation.attachment == 2 for operation, _ in pairs):
            raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")

    results = ledger.post(batch, alongside=write)
    assert codes(results) == ["ok", "ok", "ledger_fault", "ok"]
    assert tenant.numbers("team") == (100, 3, 0)


@pytest.mark.django_db(transaction=True)
def test_a_dead_letter_that_cannot_be_written_takes_nobody_along(
    tenant: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    tenant.fund(team=100)

    def refuse(execute: Any, sql: str, *rest: Any) -> Any:
        if "deadletter" in sql:
            raise DatabaseError("disk full")
        return execute(sql, *rest)

    with connection.execute_wrapper(refuse):
        results = ledger.post([tenant.reserve(1, candidates=()), tenant.reserve(1)])
    assert codes(results) == ["ledger_fault", "ok"]
    assert "could not be written" in caplog.text


class Busy:
    """Another connection to PostgreSQL, in a transaction of its own."""

    def __init__(self) -> None:
        settings = connection.get_connection_params()
        settings.pop("cursor_factory", None)
        settings.pop("context", None)
        self.session = psycopg.connect(**settings, autocommit=False)

    def run(self, sql: str, *values: Any) -> None:
        self.session.execute(sql, values)

    def lock(self, tenant: Tenant, name: str) -> None:
        sql = "SELECT 1 FROM wallets_wallet WHERE id = %s FOR NO KEY UPDATE"
        self.run(sql, tenant.refs[name].id)


@pytest.fixture
def busy() -> Iterator[Busy]:
    other = Busy()
    yield other
    other.session.close()


def wait_for_lock_waiters(count: int) -> None:
    """Return when ``count`` sessions of this database wait for a lock."""
    sql = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with connection.cursor() as cursor:
        for _ in range(100_000):
            cursor.execute(sql)
            if cursor.fetchone()[0] >= count:
                return
    raise AssertionError(f"never saw {count} sessions wait for a lock")


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgres_only
def test_a_real_deadlock_is_repeated(
    tenant: Tenant, busy: Busy, caplog: pytest.LogCaptureFixture
) -> None:
    """The other session locks against the order: organisation before team."""
    tenant.fund(org=100, team=100)
    busy.lock(tenant, "org")
    # It waits the longer, so the ledger's transaction is the one that is ended.
    busy.run("SET deadlock_timeout = '10s'")
    done: list[list[str]] = []

    def post() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET deadlock_timeout = '10ms'")
        done.append(codes(ledger.post([tenant.move("team", "org", 1), tenant.reserve(5)])))
        connection.close()

    thread = threading.Thread(target=post)
    thread.start()
    wait_for_lock_waiters(1)
    busy.lock(tenant, "team")
    busy.session.rollback()
    thread.join(30)
    assert done == [["ok", "ok"]]
    assert "40P01" in caplog.text
    assert tenant.numbers("team") == (99, 5, 0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgres_only
def test_a_real_serialization_failure_is_repeated(
    tenant: Tenant, busy: Busy, caplog: pytest.LogCaptureFixture
) -> None:
    """Under REPEATABLE READ a row that changed while it was waited for is refused."""
    tenant.fund(team=100)
    busy.run("UPDATE wallets_wallet SET frozen = false WHERE id = %s", tenant.refs["team"].id)
    done: list[list[str]] = []

    def post() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET default_transaction_isolation = 'repeatable read'")
        done.append(codes(ledger.post([tenant.reserve(5)])))
        connection.close()

    thread = threading.Thread(target=post)
    thread.start()
    wait_for_lock_waiters(1)
    busy.session.commit()
    thread.join(30)
    assert done == [["ok"]]
    assert "40001" in caplog.text
    assert tenant.numbers("team") == (100, 5, 0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgres_only
def test_a_wallet_locked_for_long_holds_up_only_its_own(tenant: Tenant, busy: Busy) -> None:
    tenant.fund(team=100, other=100, user=100)
    held = tenant.hold(10, "other")
    busy.lock(tenant, "team")
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '50ms'")
    batch = [
        tenant.reserve(1, "team"),
        tenant.reserve(1, "other"),
        tenant.reserve(1, "user"),
        tenant.reserve(2, "team"),
        tenant.settle(held, 3),
        tenant.move("org", "team", 1),
        tenant.credit(5),
    ]
    try:
        assert codes(ledger.post(batch)) == [
            "ledger_unavailable", "ok", "ok", "ledger_unavailable", "ok", "ledger_unavailable",
            "ok",
        ]  # fmt: skip
    finally:
        busy.session.rollback()
        connection.close()
    assert tenant.numbers("team") == (100, 0, 0)
    assert tenant.numbers("other") == (97, 1, 0)
    assert DeadLetter.objects.count() == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgres_only
def test_a_connection_that_was_cut_is_unavailable_once(tenant: Tenant, busy: Busy) -> None:
    tenant.fund(team=100)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    busy.run("SELECT pg_terminate_backend(%s, 5000)", pid)
    operation = tenant.reserve(5)
    with pytest.raises(LedgerUnavailable) as caught:
        ledger.post([operation])
    assert (caught.value.status, caught.value.code) == (503, "ledger_unavailable")
    assert codes(ledger.post([operation])) == ["ok"]
    assert tenant.numbers("team") == (100, 5, 0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgres_only
def test_a_server_that_is_stopped_and_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection at all: unavailable; back again: works, without a restart of ours."""
    with PostgresServer() as server, monkeypatch.context() as patch:
        away = connections.create_connection("default")
        patch.setitem(away.settings_dict, "NAME", "postgres")
        patch.setitem(away.settings_dict, "HOST", str(server.directory))
        patch.setitem(away.settings_dict, "PORT", "")
        patch.setitem(away.settings_dict, "USER", "postgres")
        patch.setattr(connections._connections, "away", away, raising=False)
        patch.setitem(connections.settings, "away", away.settings_dict)

        def post() -> list[str]:
            note = ledger.Note(organization_id=1)
            return codes(ledger.post([note], using="away", alongside=look))

        def look(_pairs: Any) -> None:
            with away.cursor() as cursor:
                cursor.execute("SELECT 1")

        assert post() == ["ok"]
        server.stop()
        for _ in range(2):
            with pytest.raises(LedgerUnavailable):
                post()
        server.start()
        assert post() == ["ok"]
        away.close()


@pytest.mark.django_db(transaction=True)
def test_a_commit_that_was_lost_on_the_way_is_repeated_by_its_ids(tenant: Tenant) -> None:
    """The commit went through, the answer did not: repeating changes nothing."""
    tenant.fund(team=100)
    id = tenant.hold(30)
    batch = [tenant.reserve(10), tenant.settle(id, 20), tenant.refund(tenant.hold(1))]
    assert codes(ledger.post(batch)) == ["ok", "ok", "ok"]
    before = tables()
    assert codes(ledger.post(batch)) == ["replayed", "replayed", "replayed"]
    assert tables() == before


@pytest.mark.django_db(transaction=True)
def test_many_small_batches_lose_nothing_to_a_busy_database(tenant: Tenant) -> None:
    tenant.fund(team=1_000)

    def work() -> int:
        done = 0
        for _ in range(6):
            done += sum(r.ok for r in ledger.post([tenant.reserve(1), tenant.reserve(1)]))
        return done

    assert sum(race([work for _ in range(16)])) == 192
    assert tenant.numbers("team") == (1_000, 192, 0)
    assert Entry.objects.filter(type="reserve").count() == 192
    assert Wallet.objects.filter(debt__gt=0).count() == 0


def blocked_database() -> Any:
    """Another connection that has locked what every write needs."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '5ms'")
        session = Busy().session
        session.execute("LOCK wallets_wallet IN ACCESS EXCLUSIVE MODE")
        return session
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 5")
    session = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    session.execute("BEGIN IMMEDIATE")
    return session


@pytest.mark.django_db(transaction=True)
def test_a_database_that_stays_locked_is_too_busy_and_buries_nobody(tenant: Tenant) -> None:
    tenant.fund(team=100)
    batch = [tenant.reserve(1), tenant.reserve(1)]
    session = blocked_database()
    assert codes(ledger.post(batch)) == ["ledger_unavailable", "ledger_unavailable"]
    session.rollback()
    session.close()
    assert DeadLetter.objects.count() == 0
    assert codes(ledger.post(batch)) == ["ok", "ok"]
    connection.close()
    assert tenant.numbers("team") == (100, 2, 0)


@pytest.mark.django_db(transaction=True)
def test_a_read_only_database_is_no_operation_s_fault(tenant: Tenant) -> None:
    tenant.fund(team=100)
    id = tenant.hold(10)
    writable, read_only = (
        ("SET default_transaction_read_only = off", "SET default_transaction_read_only = on")
        if connection.vendor == "postgresql"
        else ("PRAGMA query_only = OFF", "PRAGMA query_only = ON")
    )
    with connection.cursor() as cursor:
        cursor.execute(read_only)
    with pytest.raises(LedgerUnavailable):
        ledger.post([tenant.settle(id, 4)])
    with connection.cursor() as cursor:
        cursor.execute(writable)
    assert codes(ledger.post([tenant.settle(id, 4)])) == ["ok"]
    assert not DeadLetter.objects.exists()


@pytest.mark.postgres_only
@pytest.mark.django_db(transaction=True)
def test_a_statement_that_was_cancelled_is_no_operation_s_fault(tenant: Tenant, busy: Busy) -> None:
    tenant.fund(team=100)
    id = tenant.hold(10)
    busy.lock(tenant, "team")
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 200")
    with pytest.raises(LedgerUnavailable):
        ledger.post([tenant.settle(id, 4)])
    busy.session.rollback()
    assert codes(ledger.post([tenant.settle(id, 4)])) == ["ok"]
    assert not DeadLetter.objects.exists()
