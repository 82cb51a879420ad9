"""The start check that looks for the ledger's triggers."""

import pytest
from django.db import connection

from wallets import triggers
from wallets.checks import triggers_are_in_place

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.engines]


def test_a_migrated_database_passes() -> None:
    assert triggers_are_in_place(databases=["default"]) == []


def test_a_missing_trigger_is_named() -> None:
    on = " ON wallets_wallet" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER wallets_wallet_stays{on}")
    messages = triggers_are_in_place(databases=["default"])
    assert [message.id for message in messages] == ["wallets.E001"]
    assert "wallets_wallet_stays" in messages[0].msg
    triggers.install(connection)
