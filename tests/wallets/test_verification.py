"""`verify` sees each way the books can be wrong."""

import pytest
from django.db import connection

from tests.factories import fund, hold, make_organization, nano, organization_wallet, settle
from wallets import triggers
from wallets.models import Reservation, Wallet
from wallets.verification import verify

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.engines]


@pytest.fixture
def wallet() -> Wallet:
    wallet = organization_wallet(make_organization(credit=10))
    settle(hold(wallet, 4), 3)
    hold(wallet, 2)
    return wallet


def without_triggers(sql: str) -> None:
    """Change a table behind the database's guards, as a disk or an operator might."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET session_replication_role = replica")
        else:
            for name in triggers.expected(connection):
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
        cursor.execute(sql)
        if connection.vendor == "postgresql":
            cursor.execute("SET session_replication_role = DEFAULT")
    triggers.install(connection)


def test_right_books_are_counted_and_pass(wallet: Wallet) -> None:
    assert str(verify()) == "checked 1 wallet, 4 entries, 1 open hold: ok"


@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        ("UPDATE wallets_wallet SET posted = posted + 1", "differs from its last entry"),
        ("UPDATE wallets_entry SET d_posted = d_posted + 1 WHERE seq = 1", "break in its entries"),
        ("DELETE FROM wallets_entry WHERE seq = 2", "break in its entries at seq 3"),
        ("DELETE FROM wallets_entry WHERE seq = 4", "differs from its last entry"),
        ("UPDATE wallets_wallet SET total_spent = 0", "carries total_spent 0"),
    ],
)
def test_damage_is_found(wallet: Wallet, damage: str, finding: str) -> None:
    without_triggers(damage)
    assert any(finding in problem for problem in verify().problems)


def test_a_hold_that_no_reservation_backs_is_found(wallet: Wallet) -> None:
    Reservation.objects.filter(state="held").update(amount=nano(1))
    assert any("open holds sum to" in problem for problem in verify().problems)


def test_a_missing_trigger_is_found(wallet: Wallet) -> None:
    name = "wallets_wallet_has_entry"
    on = " ON wallets_wallet" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER {name}{on}")
    assert verify().problems == [f"trigger {name} is missing"]
    triggers.install(connection)


def test_large_sums_do_not_overflow() -> None:
    wallet = organization_wallet(make_organization())
    for _ in range(400):
        fund(wallet, 10_000_000)
    assert verify().ok
