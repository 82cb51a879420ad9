"""How many statements a call takes: the same for one row and for many."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import factories
from tests.api.client import Caller
from tests.api.conftest import World
from tests.factories import nano
from wallets.models import Limit, TeamMembership, Waiter

PATHS = [
    "wallets",
    "wallets/users",
    "wallets/balance?team_id=team_engineering",
    "wallets/{wallet}/transactions",
    "wallets/{wallet}/history",
    "limits",
    "teams",
    "teams/team_engineering/members",
    "users",
    "consumer-groups",
    "keys",
    "tokens",
    "stops",
    "cost-tickets",
    "audit-log",
    "events",
    "usage?group_by=team",
    "usage?group_by=user",
    "spend",
    "shadow-report",
    "model-pricing",
]


def _grow(world: World) -> None:
    """One more of everything."""
    team = factories.make_team(world.acme, balance=5)
    user = factories.make_user(world.acme, member_of=(team,))
    TeamMembership.objects.create(organization=world.acme, team=world.engineering, user=user)
    wallet = factories.make_user_wallet(team, user, balance=2)
    group = factories.make_consumer_group(team)
    key = factories.make_group_key(group).key
    factories.make_personal_key(team, user)
    factories.make_token(world.acme, user, role="member")
    for scope in ({"team": team}, {"key": key}, {"consumer_group": group}):
        Limit.objects.create(organization=world.acme, period="day", amount=nano(1), **scope)
    asked = factories.make_waiter(wallet, 5)
    ticket = factories.make_ticket(wallet, 5)
    Waiter.objects.filter(pk=asked.id).update(ticket_id=ticket.pk)
    factories.spend(wallet, 1, consumer_group_name=group.name)
    factories.spend(world.wallet(world.engineering), 1, key_id=key.pk)


def _statements(admin: Caller, path: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert admin.get(path).status == 200
    return len(queries)


@pytest.mark.parametrize("path", PATHS)
def test_statements_do_not_grow_with_rows(world: World, admin: Caller, path: str) -> None:
    path = path.format(wallet=world.wallet(world.engineering).public_id)
    _grow(world)
    admin.get(path)  # the first use of a token is noted
    few = _statements(admin, path)
    for _ in range(3):
        _grow(world)
    assert _statements(admin, path) == few
    assert few <= 15


def test_a_bulk_allocation_takes_as_many_statements_for_many_targets(
    world: World, admin: Caller
) -> None:
    teams = [factories.make_team(world.acme) for _ in range(12)]
    lines = [{"team_id": team.public_id, "amount": 1} for team in teams]
    admin.post("wallets/allocate/bulk", {"allocations": lines})
    counts = []
    for part in (lines[:2], lines):
        with CaptureQueriesContext(connection) as queries:
            assert admin.post("wallets/allocate/bulk", {"allocations": part}).status == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]
