"""A batch costs the same number of statements whatever its size."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.wallets.ledger.world import Tenant
from wallets import ledger
from wallets.ledger import Waiting

pytestmark = [pytest.mark.django_db, pytest.mark.engines]

SIZES = (1, 8, 32, 128)


def counted(operations: list[Any], *, waits: bool = False) -> int:
    """Statements the ledger sends for ``operations``, without those that frame the transaction."""
    with CaptureQueriesContext(connection) as captured:
        results = ledger.post(operations)
    assert all(result.waits if waits else result.ok for result in results)
    frame = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")
    return len([q for q in captured.captured_queries if not q["sql"].startswith(frame)])


@pytest.fixture
def counts() -> dict[str, int]:
    """Reserves and settles write everything of a batch at once where the engine can."""
    together = connection.vendor == "postgresql"
    return {
        "reserve": 3 if together else 5,
        "settle": 3 if together else 5,
        "both": 3 if together else 6,
        "limited": 5 if together else 8,
    }


@pytest.mark.parametrize("size", SIZES)
def test_reserves_and_settles_of_one_wallet(
    tenant: Tenant, counts: dict[str, int], size: int
) -> None:
    tenant.fund(team=100_000)
    holds = [tenant.reserve(7) for _ in range(size)]
    assert counted(holds) == counts["reserve"]
    assert counted([tenant.settle(hold.id, 5) for hold in holds]) == counts["settle"]


@pytest.mark.parametrize("size", SIZES)
def test_a_mixed_batch(tenant: Tenant, counts: dict[str, int], size: int) -> None:
    tenant.fund(team=100_000)
    held = [tenant.hold(7) for _ in range(size)]
    mixed = [tenant.settle(id, 5) for id in held] + [tenant.reserve(7) for _ in range(size)]
    assert counted(mixed) == counts["both"]


@pytest.mark.parametrize("size", SIZES)
def test_holds_under_a_limit_that_has_a_counter(
    tenant: Tenant, counts: dict[str, int], size: int
) -> None:
    tenant.fund(team=100_000)
    limit = tenant.use(1_000_000)
    first = tenant.hold(7, counters=(limit,))
    batch = [tenant.reserve(7, counters=(limit,)) for _ in range(size)]
    assert counted([tenant.settle(first, 5), *batch]) == counts["limited"]


@pytest.mark.parametrize("size", SIZES)
def test_being_ready_to_wait_costs_nothing_where_nobody_has_to(
    tenant: Tenant, counts: dict[str, int], size: int
) -> None:
    tenant.fund(team=100_000)
    ready = Waiting(reasons=frozenset({"contention", "exhausted"}))
    holds = [tenant.reserve(7, waiting=ready) for _ in range(size)]
    assert counted(holds) == counts["reserve"]


@pytest.mark.parametrize("size", SIZES)
def test_a_line_is_read_and_written_with_one_statement_each(tenant: Tenant, size: int) -> None:
    """Look for holds, lock the wallet; then take places and tell the wallet. Asked again: and read
    who waits.
    """
    tenant.fund(team=100_000)
    tenant.hold(99_999)
    ready = Waiting(reasons=frozenset({"contention"}))
    holds = [tenant.reserve(7, waiting=ready) for _ in range(size)]
    together = connection.vendor == "postgresql"
    assert counted(holds, waits=True) == (3 if together else 4)
    assert counted(holds, waits=True) == (4 if together else 5)


@pytest.mark.parametrize("size", SIZES)
def test_what_falls_through_locks_one_more_rank(tenant: Tenant, size: int) -> None:
    tenant.fund(team=100_000)
    ledger.post_one(tenant.credit(100_000))
    covered = counted([tenant.reserve(1, "team", "org") for _ in range(size)])
    fallen = counted([tenant.reserve(700, "other", "org") for _ in range(size)])
    assert fallen == covered + 1
