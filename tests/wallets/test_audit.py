"""The audit log."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction

from tests.wallets.conftest import Company
from wallets import audit
from wallets.models import AuditRecord


def test_a_record_keeps_what_changed_as_plain_json(acme: Company) -> None:
    audit.record(
        organization=acme.organization,
        actor="user_1",
        action="team.change",
        target="team_engineering",
        before={"amount": Decimal("1.5"), "on": datetime(2026, 1, 2, tzinfo=UTC)},
        after={"roles": ("lead",)},
        address="192.0.2.7",
    )
    found = AuditRecord.objects.get()
    assert found.before == {"amount": "1.5", "on": "2026-01-02T00:00:00+00:00"}
    assert found.after == {"roles": ["lead"]}
    assert (found.organization, found.address) == (acme.organization, "192.0.2.7")


@pytest.mark.parametrize("change", ["update", "delete"])
def test_the_database_refuses_to_change_a_record(acme: Company, change: str) -> None:
    audit.record(organization=acme.organization, actor="user_1", action="a.b", target="t")
    rows = AuditRecord.objects.all()
    with pytest.raises(DatabaseError), transaction.atomic():
        rows.update(actor="user_2") if change == "update" else rows.delete()
    assert rows.get().actor == "user_1"
