"""A batch costs the same number of statements whatever its size."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.wallets.ledger.world import Tenant
from wallets import ledger

pytestmark = [pytest.mark.django_db, pytest.mark.engines]

SIZES = (1, 8, 32, 128)


def counted(operations: list[Any]) -> int:
    """Statements the ledger sends for ``operations``, without those that frame the transaction."""
    with CaptureQueriesContext(connection) as captured:
        results = ledger.post(operations)
    assert all(result.ok for result in results)
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
def test_what_falls_through_locks_one_more_rank(tenant: Tenant, size: int) -> None:
    tenant.fund(team=100_000)
    ledger.post_one(tenant.credit(100_000))
    covered = counted([tenant.reserve(1, "team", "org") for _ in range(size)])
    fallen = counted([tenant.reserve(700, "other", "org") for _ in range(size)])
    assert fallen == covered + 1
