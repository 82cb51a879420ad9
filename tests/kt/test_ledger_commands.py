"""`kt ledger verify` says what it counted and where the books break; `kt ledger sweep` closes
holds."""

import pytest
from django.db import connection

from tests import factories
from tests.kt.conftest import Kt

pytestmark = pytest.mark.django_db


@pytest.fixture
def kt_on_database(kt: Kt, monkeypatch: pytest.MonkeyPatch) -> Kt:
    """`kt` on the database of the tests, which Django has connected to already."""
    monkeypatch.setenv("DATABASE_URL", "postgres://the/one-of-the-tests")
    return kt


def test_verify_says_what_it_counted(kt_on_database: Kt) -> None:
    organization = factories.make_organization(credit=10)
    factories.make_team(organization, balance=5)
    outcome = kt_on_database("ledger", "verify")
    assert outcome.code == 0
    assert outcome.err == ""
    assert outcome.out == "checked 2 wallets, 4 entries, 0 open holds: ok\n"


def test_verify_names_what_is_broken(kt_on_database: Kt) -> None:
    from wallets import triggers

    factories.make_organization(credit=10)
    name = next(iter(triggers.expected(connection)))
    table = triggers.expected(connection)[name].split(" ON ")[1].split()[0]
    drop = f"DROP TRIGGER {name}"
    with connection.cursor() as cursor:
        cursor.execute(f"{drop} ON {table}" if connection.vendor == "postgresql" else drop)
    outcome = kt_on_database("ledger", "verify")
    assert outcome.code == 1
    assert outcome.out == f"trigger {name} is missing\n"
    assert outcome.err == "kt: checked 1 wallet, 1 entry, 0 open holds: 1 problem\n"


def test_sweep_with_nothing_to_do(kt_on_database: Kt) -> None:
    outcome = kt_on_database("ledger", "sweep", "--older-than", "0")
    assert outcome.code == 0
    assert outcome.out == "closed 0 holds: charged $0.00, returned $0.00\n"


def test_sweep_closes_an_old_hold(kt_on_database: Kt) -> None:
    organization = factories.make_organization(credit=10)
    wallet = factories.organization_wallet(organization)
    factories.hold(wallet, 3)
    outcome = kt_on_database("ledger", "sweep", "--older-than", "0")
    assert outcome.out == "closed 1 hold: charged $0.00, returned $3.00\n"
    wallet.refresh_from_db()
    assert (wallet.posted, wallet.reserved) == (10 * 10**9, 0)
