"""GET /v1/wallets/{id}/transactions and /history."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests import factories
from tests.api.client import Caller
from tests.api.conftest import World

pytestmark = pytest.mark.engines


@pytest.fixture
def path(world: World) -> str:
    """Engineering's ledger: 220 in, 20 out to mia, 1.5 spent by a request."""
    wallet = world.wallet(world.engineering)
    reservation = factories.hold(wallet, 2, request_id="req_one")
    factories.settle(reservation, "1.5")
    return f"wallets/{wallet.public_id}/transactions"


def test_entries_come_newest_first_with_running_balances(admin: Caller, path: str) -> None:
    rows = admin.get(path).body["results"]
    assert [
        (r["seq"], r["type"], str(r["amount"]), str(r["balance_after"]), str(r["reserved_after"]))
        for r in rows
    ] == [
        (5, "settle", "0.5", "198.5", "0"),
        (4, "reserve", "-2", "198", "2"),
        (3, "allocation_out", "-20", "200", "0"),
        (2, "allocation_in", "20", "220", "0"),
        (1, "allocation_in", "200", "200", "0"),
    ]


def test_entries_say_what_they_are_about(admin: Caller, path: str) -> None:
    rows = admin.get(path).body["results"]
    assert rows[0]["reference"] == {"type": "request", "id": "req_one"}
    assert rows[2]["reference"]["type"] == "allocation"
    assert rows[0]["id"] == f"txn_{rows[0]['wallet'].removeprefix('wal_')}-5"


@pytest.mark.parametrize(
    ("query", "seqs"),
    [
        ({"type": "allocation"}, [3, 2, 1]),
        ({"type": "allocation_in"}, [2, 1]),
        ({"type": "settle"}, [5]),
        ({"type": "payment_credit"}, []),
        ({"min_amount": "20"}, [3, 2, 1]),
        ({"max_amount": "2"}, [5, 4]),
        ({"min_amount": "2", "max_amount": "20"}, [4, 3, 2]),
        ({"until": "2001-01-01T00:00:00Z"}, []),
        ({"since": "2001-01-01T00:00:00Z", "limit": 2}, [5, 4]),
    ],
)
def test_filters(admin: Caller, path: str, query: dict[str, str], seqs: list[int]) -> None:
    rows = admin.get(path, **query).body["results"]
    assert [row["seq"] for row in rows] == seqs


@pytest.mark.parametrize(
    "query", [{"type": "gift"}, {"min_amount": "1e5"}, {"min_amount": "-1"}, {"since": "noon"}]
)
def test_wrong_filters_are_named(admin: Caller, path: str, query: dict[str, str]) -> None:
    answer = admin.get(path, **query)
    assert (answer.status, answer.error["details"]["field"]) == (422, next(iter(query)))


def test_a_member_reads_their_own_ledger_and_no_other(world: World, path: str) -> None:
    member = world.callers["member"]
    own = member.get(f"wallets/{world.member_wallet.public_id}/transactions")
    assert [row["amount"] for row in own.body["results"]] == [20]
    assert member.get(path).status == 403


def test_a_foreign_ledger_is_404(world: World, path: str) -> None:
    assert world.callers["stranger"].get(path).status == 404


def test_history_sums_a_day(world: World, admin: Caller, path: str) -> None:
    body = admin.get(path.replace("transactions", "history")).body
    assert body["opening_balance"] == 0
    point = body["points"][-1]
    assert {name: str(point[name]) for name in point if name != "at"} == {
        "money_in": "220", "money_out": "20", "spent": "1.5", "balance": "198.5", "reserved": "0",
    }  # fmt: skip


def test_history_begins_with_the_balance_before_it(admin: Caller, path: str) -> None:
    later = (timezone.now() + timedelta(days=2)).isoformat().replace("+", "%2B")
    begin = (timezone.now() + timedelta(days=1)).isoformat().replace("+", "%2B")
    body = admin.get(path.replace("transactions", "history"), since=begin, until=later).body
    assert (str(body["opening_balance"]), body["points"]) == ("198.5", [])


@pytest.mark.parametrize(
    "query",
    [
        {"since": "2020-01-01T00:00:00Z"},
        {"since": "2030-01-01T00:00:00Z"},
        {"interval": "minute"},
        {"since": "0001-01-01T00:00:00Z"},
        {"until": "9999-12-31T23:59:59Z"},
        {"until": "0001-01-01T00:00:00Z"},
    ],
)
def test_history_of_an_absurd_range_is_refused(
    admin: Caller, path: str, query: dict[str, str]
) -> None:
    assert admin.get(path.replace("transactions", "history"), **query).status == 422
