"""Lists cost the same few statements however long they are, and count nothing to its end."""

from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from gateway.models import (
    CacheGeneration,
    HistoryText,
    IdempotentCall,
    ModelPrice,
    WrittenOff,
)
from keeptrusts.lib import ids
from tests import factories
from tests.wallets.admin.conftest import fill, fill_platform
from tests.wallets.admin.test_pages import OURS, address
from tests.wallets.conftest import Company
from wallets import audit
from wallets.admin.paginator import CheapPaginator
from wallets.models import (
    Claim,
    CostCentre,
    CreditLot,
    DeadLetter,
    Entry,
    Limit,
    LimitCounter,
    LotPosition,
    Membership,
    Organization,
    Reservation,
    Revision,
    Stop,
    Team,
    TeamMembership,
    User,
    Waiter,
    Wallet,
)

MOST_STATEMENTS = 16


def grow(company: Company, count: int) -> None:
    """So many more rows of every model, each with relations of its own."""
    for number in range(count):
        organization = factories.make_organization(credit=5)
        team = factories.make_team(organization, balance=3)
        user = factories.make_user(organization, member_of=(team,))
        group = factories.make_consumer_group(team)
        key = factories.make_group_key(group).key
        wallet = factories.make_user_wallet(team, user, balance=1)
        factories.spend(wallet, 1)
        account = factories.make_service_account(organization)
        factories.make_token(organization, service_account=account)
        CostCentre.objects.create(team=team, code="x", valid_from=timezone.now().date())
        Limit.objects.create(organization=organization, key=key, period="day", amount=1)
        _control(organization, wallet, number)


def _control(organization: Organization, wallet: Wallet, number: int) -> None:
    now = timezone.now()
    named: dict[str, Any] = {"organization": organization}
    Stop.objects.create(**named, scope="model", target="m", created_by="system")
    LimitCounter.objects.create(
        key=f"{organization.pk}:x", organization_id=organization.pk, period_start=now
    )
    CreditLot.objects.create(**named, wallet=wallet, seq=1, amount=1, expires_at=now)
    LotPosition.objects.create(wallet=wallet)
    factories.make_ticket(wallet)
    CacheGeneration.objects.create(**named)
    kept: dict[str, Any] = {**named, "created_at": now, "expires_at": now}
    HistoryText.objects.create(**kept, event_id=f"req_{organization.pk}", sealed=b"x")
    IdempotentCall.objects.create(
        **kept, key=f"call-{organization.pk}", request_id="req_x", lease_until=now
    )
    WrittenOff.objects.create(**named, team_id=number, on=now.date())
    Waiter.objects.create(
        **named, id=ids.uuid7(), wallet=wallet, amount=1, reason="contention", since=now,
        lease_until=now,
    )  # fmt: skip
    assert wallet.team is not None
    factories.make_crossing(wallet.team)
    Claim.objects.create(**named, key=f"grown-{number}-{organization.pk}", created_at=now)
    DeadLetter.objects.create(operation="x", payload="x", error="x")
    audit.record(organization=organization, actor="system", action="a.b", target="x")
    ModelPrice.objects.create(
        **named, provider="x", model="m", valid_from=now, input=1, output=1, created_by="system"
    )


def statements(client: Client, model: type[Model]) -> list[str]:
    """What one page of the list asks the database."""
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert client.get(address(model, "changelist")).status_code == 200
    return [query["sql"] for query in asked.captured_queries]


def test_no_list_asks_more_for_fifty_rows_than_for_five(root: Client, acme: Company) -> None:
    fill(acme)
    fill_platform(acme)
    grow(acme, 4)
    few = {model: len(statements(root, model)) for model in OURS}
    grow(acme, 46)
    many = {model: len(statements(root, model)) for model in OURS}
    assert many == few
    assert max(few.values()) <= MOST_STATEMENTS
    grown = [model for model in OURS if model is not Revision]
    assert min(model._default_manager.count() for model in grown) >= 47


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_no_list_counts_a_table_to_its_end(root: Client, acme: Company, model: type[Model]) -> None:
    fill(acme)
    counts = [sql for sql in statements(root, model) if "COUNT(" in sql.upper()]
    assert counts
    assert all("LIMIT" in sql.upper() for sql in counts)


@pytest.mark.parametrize("model", [Wallet, Entry, Reservation, Membership, TeamMembership, Team])
def test_a_page_of_a_row_costs_few_statements(
    root: Client, acme: Company, model: type[Model]
) -> None:
    fill(acme)
    row = model._default_manager.first()
    assert row is not None
    with CaptureQueriesContext(connection) as asked:
        root.get(address(model, "change", row.pk))
    assert len(asked) <= MOST_STATEMENTS


def test_a_count_stops_at_its_bound(acme: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    from wallets.admin import paginator

    monkeypatch.setattr(paginator, "MOST", 3)
    assert CheapPaginator(User.objects.order_by("pk"), 2).count == 4
    assert CheapPaginator(User.objects.filter(pk=acme.member.pk).order_by("pk"), 2).count == 1
    assert CheapPaginator([1, 2], 2).count == 2


def test_lists_are_registered_with_the_cheap_paginator() -> None:
    for model in OURS:
        registered = admin.site._registry[model]
        assert registered.paginator is CheapPaginator
        assert registered.show_full_result_count is False
