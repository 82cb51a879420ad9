"""Tenants, and the check that closes every test: the books hold together."""

from collections.abc import Iterator

import pytest

from tests.wallets.ledger.world import Tenant, broken_invariants, make_tenant
from wallets import verification


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    """An organisation with empty wallets; its books must be right after the test."""
    made = make_tenant()
    yield made
    assert broken_invariants(made) == []
    assert verification.verify().problems == []


@pytest.fixture
def stranger() -> Iterator[Tenant]:
    """Another organisation."""
    made = make_tenant()
    yield made
    assert broken_invariants(made) == []
