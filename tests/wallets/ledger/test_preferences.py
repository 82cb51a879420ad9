"""A hold that will grow goes to a wallet that covers all of it, else to the first that covers its
beginning.
"""

import pytest

from tests.wallets.ledger.world import Tenant
from wallets import ledger
from wallets.errors import InsufficientFunds

pytestmark = [pytest.mark.engines, pytest.mark.django_db]


def _paying(tenant: Tenant, *, user: int, team: int, **fields: int) -> str:
    if user:
        ledger.post_one(tenant.credit(user, "user"))
    if team:
        ledger.post_one(tenant.credit(team, "team"))
    result = ledger.post_one(tenant.reserve(10, "user", "team", **fields))
    names = {ref.id: name for name, ref in tenant.refs.items()}
    assert result.wallet_id is not None
    return names[result.wallet_id]


def test_the_first_that_covers_what_is_preferred_pays(tenant: Tenant) -> None:
    assert _paying(tenant, user=50, team=100, prefers=100) == "team"
    assert tenant.numbers("team") == (100, 10, 0)


def test_a_near_wallet_that_covers_all_of_it_pays(tenant: Tenant) -> None:
    assert _paying(tenant, user=100, team=100, prefers=100) == "user"


def test_where_none_does_the_first_that_covers_the_amount_pays(tenant: Tenant) -> None:
    assert _paying(tenant, user=50, team=99, prefers=100) == "user"
    assert tenant.numbers("user") == (50, 10, 0)


def test_a_wallet_above_pays_the_amount_where_the_near_one_cannot(tenant: Tenant) -> None:
    assert _paying(tenant, user=9, team=99, prefers=100) == "team"


def test_nobody_pays_less_than_the_amount(tenant: Tenant) -> None:
    with pytest.raises(InsufficientFunds):
        _paying(tenant, user=9, team=9, prefers=100)
    assert tenant.numbers("team") == (9, 0, 0)
