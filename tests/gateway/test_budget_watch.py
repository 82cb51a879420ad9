"""The gateway looks for crossings beside its requests: of teams with traffic, and of all."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from gateway import policy
from gateway.budget import BudgetWatch, levels_of
from tests import factories
from tests.gateway.conftest import World
from tests.gateway.serving import eventually
from wallets.models import Crossing

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]

ALERTS = [
    {"threshold_percent": 50, "action": "notify"},
    {"threshold_percent": 80.5, "action": "notify"},
    {"threshold_percent": 100, "action": "block"},
]


def loaded(world: World, **cost: Any) -> policy.PolicyFile:
    import yaml

    text = yaml.safe_dump(world.policy(cost_tracking={"budget_alerts": ALERTS, **cost}))
    return policy.loads(text, {})


def watching(world: World, **cost: Any) -> BudgetWatch:
    card = SimpleNamespace(id=world.organization.pk)
    snapshot: Any = SimpleNamespace(policy=loaded(world, **cost), organization=card)
    return BudgetWatch(lambda: snapshot)


def crossed() -> list[str]:
    return list(Crossing.objects.order_by("seq").values_list("level", flat=True))


def test_only_what_notifies_is_watched(world: World) -> None:
    assert levels_of(loaded(world)) == ("50", "80.5")
    assert levels_of(loaded(world, enabled=False)) == ()


def test_the_first_look_is_at_all_teams(world: World) -> None:
    factories.spend(world.wallet, 6)
    watch = watching(world)
    asyncio.run(watch.look())
    assert crossed() == ["50"]


def test_later_looks_are_at_teams_with_traffic(world: World) -> None:
    watch = watching(world)
    asyncio.run(watch.look())
    factories.spend(world.wallet, 9)
    asyncio.run(watch.look())
    assert crossed() == []
    watch.seen(world.team.pk)
    asyncio.run(watch.look())
    assert crossed() == ["50", "80.5"]


def test_before_a_snapshot_nothing_is_looked_at() -> None:
    asyncio.run(BudgetWatch(lambda: None).look())
    assert crossed() == []


def test_a_database_that_is_away_is_asked_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import OperationalError

    def away(*_: object) -> Any:
        raise OperationalError

    factories.spend(world.wallet, 6)
    watch = watching(world)
    with monkeypatch.context() as broken:
        broken.setattr("gateway.budget.crossings.look_at_budgets", away)
        asyncio.run(watch.look())
    asyncio.run(watch.look())
    assert crossed() == ["50"]


def test_it_looks_by_itself_until_it_is_closed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.budget.LOOK_SECONDS", 0.01)
    watch = watching(world)

    async def day(work: Callable[[], object]) -> None:
        watch.start()
        await asyncio.to_thread(work)
        await watch.close()

    def work() -> None:
        from django.db import connections

        factories.spend(world.wallet, 6)
        watch.seen(world.team.pk)
        eventually(lambda: crossed() == ["50"], what="a crossing")
        connections.close_all()

    asyncio.run(day(work))
    assert crossed() == ["50"]
