"""The page of a decision event reads like a receipt."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gateway.models import DecisionEvent
from tests import factories
from tests.wallets.admin.conftest import SignIn
from tests.wallets.admin.test_pages import address
from tests.wallets.conftest import Company
from wallets.models import Entry

MOST_STATEMENTS = 16


@pytest.fixture
def event(acme: Company) -> DecisionEvent:
    """A paid request of a key of the team's group."""
    wallet = factories.team_wallet(acme.team)
    group = factories.make_consumer_group(acme.team, "batch")
    key = factories.make_group_key(group, name="nightly").key
    charge = factories.settle(factories.hold(wallet, 2), 1)
    return DecisionEvent.objects.create(
        id="req_1", organization=acme.organization, wallet=wallet, reservation=charge.pk,
        team_id=acme.team.pk, user_id=acme.member.pk, consumer_group_id=group.pk, key_id=key.pk,
        consumer_group_name="batch", route="/v1/chat/completions", verdict="allow", status=200,
        provider="openai", model="gpt-4o-mini", cost=17_100, flags=["cut_short"],
        attempts=[{"target": "first", "error": "timeout"}, {"target": "second"}],
        details={"lines": [["input", 14, 150_000_000], ["output", 25, 600_000_000]]},
        created_at=datetime(2026, 4, 1, 12, 30, 5, tzinfo=UTC),
    )  # fmt: skip


def html_of(acme: Company, sign_in: SignIn, event: DecisionEvent) -> str:
    answer: Any = sign_in(acme.admin).get(address(DecisionEvent, "change", event.pk))
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_it_names_and_links_who_asked_and_who_paid(
    acme: Company, sign_in: SignIn, event: DecisionEvent
) -> None:
    html = html_of(acme, sign_in, event)
    for name, key in (("team", event.team_id), ("user", event.user_id)):
        assert f'href="/admin/wallets/{name}/{key}/change/"' in html
    for name, key in (("consumergroup", event.consumer_group_id), ("gatewaykey", event.key_id)):
        assert f'href="/admin/wallets/{name}/{key}/change/"' in html
    assert f'href="/admin/wallets/wallet/{event.wallet_id}/change/">Engineering</a>' in html
    assert "Team id" not in html


def test_it_says_how_the_cost_came_about(
    acme: Company, sign_in: SignIn, event: DecisionEvent
) -> None:
    html = html_of(acme, sign_in, event)
    assert "14 × 0.00015 / 1000 + 25 × 0.0006 / 1000 = $0.0000171" in html
    assert "<div>input: 14 × $0.00015 / 1K</div>" in html
    assert "<div>target first, error timeout</div>" in html
    assert "cut short" in html
    assert "2026-04-01 12:30:05 UTC" in html


def test_it_links_its_ledger_entries(acme: Company, sign_in: SignIn, event: DecisionEvent) -> None:
    html = html_of(acme, sign_in, event)
    keys = list(Entry.objects.filter(reservation=event.reservation).values_list("pk", flat=True))
    assert keys
    for key in keys:
        assert f'href="/admin/wallets/entry/{key}/change/"' in html


def test_more_ledger_entries_need_no_more_statements(
    acme: Company, sign_in: SignIn, event: DecisionEvent
) -> None:
    client, url = sign_in(acme.admin), address(DecisionEvent, "change", event.pk)
    client.get(url)
    counts = []
    bare = factories.hold(factories.team_wallet(acme.team), 1).pk
    for reservation in (bare, event.reservation):
        DecisionEvent.objects.filter(pk=event.pk).update(reservation=reservation)
        with CaptureQueriesContext(connection) as asked:
            client.get(url)
        entries = Entry.objects.filter(reservation=reservation).count()
        counts.append((entries, len(asked)))
    (fewer, before), (more, after) = counts
    assert fewer < more
    assert before == after <= MOST_STATEMENTS


def test_another_organization_finds_no_such_event(
    acme: Company, globex: Company, sign_in: SignIn, event: DecisionEvent
) -> None:
    answer = sign_in(globex.admin).get(address(DecisionEvent, "change", event.pk))
    assert answer.status_code == 302
