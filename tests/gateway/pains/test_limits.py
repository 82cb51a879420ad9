"""Pains with limits, prices and settings: passed by, forgotten, or not in force."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import yaml
from django.utils import timezone

from gateway import policy
from gateway.models import ModelPrice
from tests import factories
from tests.gateway.conftest import Serve, World
from tests.gateway.fuzzing import MODELS, ROUTES, SEEDS
from tests.gateway.pains.asking import COST, HOLD, MAX_TOKENS
from tests.gateway.serving import RunningGateway, eventually
from wallets import revisions
from wallets.models import Crossing, Limit, Reservation

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]

PAID = [name for name in ROUTES if name not in ("count", "moderations")]


def _refused(gateway: RunningGateway, key: str) -> str:
    answer = gateway.chat(key, max_tokens=MAX_TOKENS)
    assert answer.status == 402, answer
    return str(answer.error["code"])


def _free(model: str) -> None:
    ModelPrice.objects.create(
        provider="openai", model=model, valid_from=timezone.now(), input=0, output=0,
        created_by="test",
    )  # fmt: skip


def test_pain_07_an_unknown_price_is_free(world: World, serve: Serve) -> None:
    gateway = serve()

    answer = gateway.chat(world.key, model="model-of-tomorrow")

    assert (answer.status, answer.error["code"]) == (402, "model_not_priced")
    assert world.upstream.requests == []
    assert world.event().cost is None


def test_pain_08_out_of_money_blocks_free_models_too(world: World, serve: Serve) -> None:
    world.team = factories.make_team(world.organization, "empty", draws_on_parent=False)
    _free("free-model")
    gateway = serve()

    assert _refused(gateway, world.key) == "insufficient_balance"
    assert gateway.chat(world.key, model="free-model").status == 200
    assert world.wallet.total_spent == 0


def test_pain_10_the_users_cap_is_ignored_on_team_keys(world: World, serve: Serve) -> None:
    person, other = (factories.make_user(world.organization) for _ in range(2))
    keys = [factories.make_personal_key(world.team, user).secret for user in (person, other)]
    Limit.objects.create(
        organization=world.organization, team=world.team, user=person, period="day",
        amount=HOLD + COST - 1,
    )  # fmt: skip
    gateway = serve()

    assert gateway.chat(keys[0], max_tokens=MAX_TOKENS).status == 200
    assert _refused(gateway, keys[0]) == "daily_limit_exceeded"
    assert gateway.chat(keys[1], max_tokens=MAX_TOKENS).status == 200
    assert world.wallet.total_spent == 2 * COST


@pytest.mark.parametrize(("amount", "passed"), [(0, 0), (HOLD, 1), (HOLD + COST, 2)])
def test_pain_11_the_organizations_cap_is_not_checked_or_zero_means_unlimited(
    world: World, serve: Serve, amount: int, passed: int
) -> None:
    Limit.objects.create(organization=world.organization, period="month", amount=amount)
    gateway = serve()

    answers = [gateway.chat(world.key, max_tokens=MAX_TOKENS) for _ in range(3)]

    assert [answer.status for answer in answers] == [200] * passed + [402] * (3 - passed)
    assert answers[-1].error["code"] == "monthly_limit_exceeded"
    assert world.wallet.total_spent == passed * COST


class _Clock(datetime):
    """The time of the gateway's requests."""

    ahead = timedelta(0)

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        return datetime.now(tz) + cls.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Clock]]:
    monkeypatch.setattr("gateway.proxy.call.datetime", _Clock)
    yield _Clock
    _Clock.ahead = timedelta(0)


@pytest.mark.parametrize(("period", "days"), [("day", 1), ("month", 31)])
def test_pain_12_resets_do_not_happen_or_carry_old_spend(
    world: World, serve: Serve, clock: type[_Clock], period: str, days: int
) -> None:
    Limit.objects.create(
        organization=world.organization, team=world.team, period=period, amount=HOLD
    )
    gateway = serve()
    assert gateway.chat(world.key, max_tokens=MAX_TOKENS).status == 200
    assert _refused(gateway, world.key).endswith("limit_exceeded")

    clock.ahead = timedelta(days=days)

    assert gateway.chat(world.key, max_tokens=MAX_TOKENS).status == 200
    assert _refused(gateway, world.key).endswith("limit_exceeded")


@pytest.mark.parametrize("route", PAID)
def test_pain_14_side_doors_skip_the_budget(world: World, serve: Serve, route: str) -> None:
    world.team = factories.make_team(world.organization, "empty", draws_on_parent=False)
    targets = [
        {"id": name, "provider": name, "base_url": world.upstream.url, "models": list(models)}
        for name, models in MODELS.items()
    ]
    gateway = serve(providers={"targets": targets})

    answer = gateway.request("POST", ROUTES[route], body=SEEDS[route], key=world.key)

    assert (answer.status, answer.error["code"]) == (402, "insufficient_balance")
    assert world.upstream.requests == []


@pytest.mark.parametrize("path", ["/v1/images/generations", "/v1/files", "/openai/v1/x", "/v1/x"])
def test_pain_14_nothing_is_passed_through(world: World, serve: Serve, path: str) -> None:
    answer = serve().request("POST", path, body={"model": "gpt-4o-mini"}, key=world.key)

    assert (answer.status, world.upstream.requests) == (404, [])


def test_pain_15_a_setting_is_silently_not_applied(world: World, serve: Serve) -> None:
    gateway = serve()
    assert gateway.chat(world.key, max_tokens=MAX_TOKENS).status == 200

    Limit.objects.create(organization=world.organization, period="month", amount=COST)
    revisions.bump()

    eventually(lambda: gateway.chat(world.key, max_tokens=MAX_TOKENS).status == 402, seconds=5)


@pytest.mark.parametrize("section", ["cost_tracking", "consumer_groups", "cache"])
def test_pain_15_a_setting_nobody_knows_is_refused(world: World, section: str) -> None:
    text: dict[str, Any] = world.policy()
    if section == "consumer_groups":
        text[section][0]["max_budgett"] = 5
    else:
        text[section] = {"max_budgett": 5}

    with pytest.raises(policy.PolicyError, match="max_budgett"):
        policy.loads(yaml.safe_dump(text), {})


def test_pain_21_alerts_come_many_times_or_never(world: World, serve: Serve) -> None:
    world.team = factories.make_team(
        world.organization, "small", balance="0.00012", draws_on_parent=False
    )
    alerts = [{"threshold_percent": level, "action": "notify"} for level in (50, 70)]
    gateway = serve(cost_tracking={"budget_alerts": alerts})

    statuses = [gateway.chat(world.key, max_tokens=25).status for _ in range(4)]

    assert statuses == [200] * 4
    # 4 × 17,100 of 120,000 nano-dollars: 57 percent.
    eventually(lambda: Crossing.objects.exists())
    assert gateway.chat(world.key, max_tokens=25).status == 200
    eventually(lambda: Crossing.objects.count() == 2)
    assert sorted(Crossing.objects.values_list("level", flat=True)) == ["50", "70"]
    assert world.wallet.total_spent == 5 * COST
    assert not Reservation.objects.filter(state="held").exists()
