"""What the database itself refuses, whoever asks: each statement goes round the ledger."""

from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction

from keeptrusts.lib.ids import uuid7
from tests import factories
from tests.wallets.ledger.world import Tenant, make_tenant, tables
from wallets import ledger, triggers
from wallets.models import AuditRecord, Entry, LimitCounter, Reservation, Wallet

pytestmark = [pytest.mark.django_db, pytest.mark.engines]


def refused(sql: str, *values: Any, because: str) -> None:
    """Assert that the statement is refused, at the latest at commit, and changes nothing."""
    if connection.vendor == "postgresql":
        # What the test wrote itself must not stand in the way of the statement.
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
    before = tables()
    with (
        pytest.raises(DatabaseError, match=because),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql, values)
        if connection.vendor == "postgresql":
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert tables() == before


@pytest.mark.parametrize("table", ["wallets_entry", "wallets_auditrecord"])
@pytest.mark.parametrize("what", ["UPDATE {} SET actor = 'x'", "DELETE FROM {}"])
def test_history_is_neither_changed_nor_deleted(tenant: Tenant, table: str, what: str) -> None:
    tenant.fund(team=100)
    AuditRecord.objects.create(actor="system", action="test", target="nothing")
    refused(what.format(table), because="append-only")


@pytest.mark.postgres_only
@pytest.mark.parametrize("table", ["wallets_entry", "wallets_auditrecord"])
def test_history_is_not_truncated(tenant: Tenant, table: str) -> None:
    tenant.fund(team=100)
    refused(f"TRUNCATE {table} CASCADE", because="append-only")


@pytest.mark.parametrize(
    "change",
    [
        "reserved = posted + 1", "reserved = -1", "posted = -1", "debt = -1",
        "posted = 4000000000000000001",
    ],
)  # fmt: skip
def test_no_wallet_is_overspent(tenant: Tenant, change: str) -> None:
    tenant.fund(team=100)
    sql = f"UPDATE wallets_wallet SET {change} WHERE id = %s"
    refused(sql, tenant.refs["team"].id, because="wallet_(never_overspent|within_bounds)")


@pytest.mark.parametrize("change", ["posted = 101", "reserved = 1", "debt = 1", "seq = 2"])
def test_no_balance_changes_without_an_entry(tenant: Tenant, change: str) -> None:
    tenant.fund(team=100)
    sql = f"UPDATE wallets_wallet SET {change} WHERE id = %s"
    refused(sql, tenant.refs["team"].id, because="changed without an entry")


def test_no_wallet_starts_with_money(tenant: Tenant) -> None:
    team = tenant.wallet("team").team_id
    person = (
        tenant.wallet("org").organization.memberships.create(user=factories.make_user()).user_id
    )
    columns = (
        "organization_id, public_id, scope, team_id, user_id, parent_id, posted, reserved, debt, "
        "seq, total_allocated, total_spent, funded_balance, frozen, draws_on_parent, created_at"
    )
    parent = tenant.refs["team"].id
    refused(
        f"INSERT INTO wallets_wallet ({columns}) VALUES "
        "(%s, 'wal_x', 'user', %s, %s, %s, 5, 0, 0, 0, 0, 0, 0, false, true, CURRENT_TIMESTAMP)",
        tenant.id, team, person, parent, because="starts empty",
    )  # fmt: skip


def test_a_wallet_with_entries_is_not_deleted(tenant: Tenant) -> None:
    tenant.fund(user=100)
    id = tenant.refs["user"].id
    refused("DELETE FROM wallets_wallet WHERE id = %s", id, because="with entries stays")


def test_an_unused_wallet_may_go(tenant: Tenant) -> None:
    Wallet.objects.get(pk=tenant.refs["friend"].id).delete()
    assert not Wallet.objects.filter(pk=tenant.refs.pop("friend").id).exists()


def test_saving_a_stale_wallet_writes_no_balance(tenant: Tenant) -> None:
    stale = tenant.wallet("team")
    tenant.fund(team=100)
    stale.low_threshold = 5
    stale.save()
    assert tenant.numbers("team") == (100, 0, 0)
    with pytest.raises(ValueError, match=r"only through wallets\.ledger"):
        stale.save(update_fields=["posted"])


@pytest.mark.postgres_only
def test_a_transfer_that_loses_money_is_refused_at_commit(tenant: Tenant) -> None:
    tenant.fund(org=100, team=10)
    transfer = uuid7()
    before = tables()
    with pytest.raises(IntegrityError, match="does not sum to zero"), transaction.atomic():
        _entry(tenant, "org", type="allocation_out", d_posted=-30, transfer=transfer)
        _entry(tenant, "team", type="allocation_in", d_posted=29, transfer=transfer)
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert tables() == before


def _entry(tenant: Tenant, name: str, **columns: Any) -> Entry:
    """A next entry of the wallet, past the ledger."""
    row = tenant.wallet(name)
    deltas = {key: columns.pop(key, 0) for key in ("d_posted", "d_reserved", "d_debt")}
    return Entry.objects.create(
        organization_id=tenant.id, wallet=row, actor="system", contra="test",
        **{"seq": row.seq + 1, "created_at": row.created_at, **columns}, **deltas,
        posted_after=1_000 + deltas["d_posted"], reserved_after=500 + deltas["d_reserved"],
        debt_after=500 + deltas["d_debt"],
    )  # fmt: skip


MONEY_IN = [(-1, 0, 0), (0, 0, 0), (1, 1, 0), (1, -1, 0), (1, 0, 1), (-1, 0, -2)]
MONEY_OUT = [(1, 0, 0), (0, 0, 0), (-1, 1, 0), (-1, -1, 0), (-1, 0, 1), (-1, 0, -1)]
WRONG_SIGNS = {
    "credit": MONEY_IN, "payment_capture": MONEY_IN, "allocation_in": MONEY_IN,
    "allocation_out": MONEY_OUT, "expiry": MONEY_OUT,
    "reserve": [(0, 0, 0), (0, -1, 0), (1, 1, 0), (-1, 1, 0), (0, 1, 1), (0, 1, -1)],
    "settle": [(1, -1, 0), (-1, 1, 0), (-1, -1, 1)],
    "refund": [(1, -1, 0), (-1, -1, 0), (0, 1, 0), (1, -1, 1), (0, -1, -1)],
    "payment_refund": [(1, 0, 0), (0, 1, 0), (-1, 0, -1), (0, -1, -1), (1, -1, 1)],
    "adjustment": [(0, 0, 0), (1, 1, 0), (-1, -1, 0), (1, 0, 1), (-1, 0, 1)],
    "gift": [(1, 0, 0)],
}  # fmt: skip
RIGHT_SIGNS = {
    "credit": [(1, 0, 0), (0, 0, -1), (1, 0, -1)], "payment_capture": [(1, 0, 0), (0, 0, -1)],
    "allocation_in": [(1, 0, 0), (1, 0, -1)], "allocation_out": [(-1, 0, 0)],
    "expiry": [(-1, 0, 0)], "reserve": [(0, 1, 0)],
    "settle": [(-1, -1, 0), (-2, -2, -1), (-1, 0, 0)], "refund": [(0, -1, 0), (-1, -2, -1)],
    "payment_refund": [(-1, 0, 0), (0, 0, 1), (-1, -1, 1), (-2, -2, -1)],
    "adjustment": [(1, 0, 0), (-1, 0, 0), (0, 0, -1)],
}  # fmt: skip
CASES = [(type, signs, False) for type in WRONG_SIGNS for signs in WRONG_SIGNS[type]]
CASES += [(type, signs, True) for type in RIGHT_SIGNS for signs in RIGHT_SIGNS[type]]


def test_every_type_has_its_signs() -> None:
    assert set(RIGHT_SIGNS) == set(Entry.Type.values)


@pytest.mark.parametrize(("type", "signs", "fits"), CASES)
def test_signs_match_the_type(type: str, signs: tuple[int, int, int], fits: bool) -> None:
    tenant = make_tenant()
    deltas = dict(zip(("d_posted", "d_reserved", "d_debt"), signs, strict=True))
    if fits:
        _entry(tenant, "team", type=type, **deltas)
        return
    signs_match = "entry_signs_match_type"
    with pytest.raises(IntegrityError, match=signs_match), transaction.atomic():
        _entry(tenant, "team", type=type, **deltas)


@pytest.mark.parametrize(
    "columns",
    [
        {"seq": 1},
        {"reservation": "opened", "part": 0},
        {"type": "payment_capture", "reference": "paypal:capture:1"},
        {"seq": 0},
    ],
)
def test_a_number_a_step_and_a_reference_come_once(tenant: Tenant, columns: Any) -> None:
    tenant.fund(team=100)
    id = tenant.hold(1)
    capture = {"type": "payment_capture", "reference": "paypal:capture:1"}
    ledger.post_one(tenant.credit(1, "team", **capture))
    if "reservation" in columns:
        columns = {**columns, "reservation": id}
    with pytest.raises(IntegrityError), transaction.atomic():
        _entry(tenant, "team", **{"type": "credit", "d_posted": 1, **columns})


def test_counters_are_never_negative(tenant: Tenant) -> None:
    tenant.fund(team=100)
    tenant.hold(1, counters=(tenant.use(10),))
    for change in ("held = -1", "spent = -1"):
        refused(f"UPDATE wallets_limitcounter SET {change}", because="counter_not_negative")
    assert LimitCounter.objects.count() == 1


@pytest.mark.parametrize(
    "change", ["state = 'settled'", "cost = 5", "amount = 0", "closed_at = created_at"]
)
def test_a_hold_says_one_thing(tenant: Tenant, change: str) -> None:
    tenant.fund(team=100)
    tenant.hold(1)
    refused(f"UPDATE wallets_reservation SET {change}", because="reservation_(cost|clos|holds)")
    assert Reservation.objects.get().state == "held"


@pytest.mark.parametrize("number", range(8))
def test_a_dropped_trigger_is_missed_and_comes_back(number: int) -> None:
    expected = triggers.expected(connection)
    name = sorted(expected)[number % len(expected)]
    table = expected[name].split(" ON ")[1].split()[0]
    on = f" ON {table}" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER {name}{on}")
    assert triggers.missing() == [name]
    triggers.install(connection)
    assert triggers.missing() == []


@pytest.mark.postgres_only
def test_a_disabled_trigger_is_missed() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE wallets_entry DISABLE TRIGGER wallets_entry_append_only")
    assert triggers.missing() == ["wallets_entry_append_only"]


@pytest.mark.django_db(transaction=True)
def test_migrate_installs_what_is_missing() -> None:
    on = " ON wallets_wallet" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER wallets_wallet_has_entry{on}")
    assert triggers.missing() == ["wallets_wallet_has_entry"]
    call_command("migrate", verbosity=0)
    assert triggers.missing() == []
