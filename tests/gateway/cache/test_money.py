"""A hit needs no money; it does need the right to ask."""

from decimal import Decimal

import pytest

from tests import factories
from tests.gateway.cache.conftest import Serve
from tests.gateway.cache.test_hits import stored
from tests.gateway.conftest import World
from tests.gateway.serving import Answer, RunningGateway, chat, eventually
from wallets import allocations, ledger, revisions, verification
from wallets.models import Limit, Stop

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]


def asked(gateway: RunningGateway, world: World, **headers: str) -> tuple[int, str, str]:
    """Status, what the cache did, and the code of an error."""
    answer: Answer = gateway.request(
        "POST", "/v1/chat/completions", body=chat(), key=world.key, headers=headers
    )
    code = answer.error["code"] if answer.status != 200 else ""
    return answer.status, answer.headers["x-keeptrusts-cache"], code


def unkept(gateway: RunningGateway, world: World) -> str:
    """The code a request is refused with that passes the cache by."""
    return asked(gateway, world, **{"cache-control": "no-store"})[2]


def test_hits_pass_at_zero_balance(world: World, cached: Serve) -> None:
    gateway = cached()
    stored(gateway, world)
    allocations.reclaim(
        organization=world.organization, wallet=world.wallet, amount=None, actor="test"
    )

    assert asked(gateway, world) == (200, "hit", "")
    assert unkept(gateway, world) == "insufficient_balance"
    assert world.wallet.balance == 0
    assert verification.verify().problems == []


def test_hits_pass_while_the_organization_is_in_debt(world: World, cached: Serve) -> None:
    gateway = cached()
    stored(gateway, world)
    wallet = factories.organization_wallet(world.organization)
    ledger.post_one(
        ledger.PaymentRefund(
            organization_id=world.organization.pk, wallet=factories.ref(wallet),
            amount=factories.nano(200), reference="paypal:refund:1",
        )
    )  # fmt: skip
    eventually(lambda: unkept(gateway, world) == "organization_in_debt")

    assert asked(gateway, world) == (200, "hit", "")


def test_hits_pass_at_a_reached_limit(world: World, cached: Serve) -> None:
    gateway = cached()
    stored(gateway, world)
    Limit.objects.create(organization=world.organization, period="month", amount=0)
    revisions.bump()
    eventually(lambda: unkept(gateway, world) == "monthly_limit_exceeded")

    assert asked(gateway, world) == (200, "hit", "")


def test_hits_pass_where_the_budget_blocks(world: World, cached: Serve) -> None:
    alerts = [{"threshold_percent": 95, "action": "block"}]
    gateway = cached(cost_tracking={"budget_alerts": alerts})
    stored(gateway, world)
    factories.spend(world.wallet, Decimal("9.9"))
    eventually(lambda: unkept(gateway, world) == "budget_alert_block")

    assert asked(gateway, world) == (200, "hit", "")


def test_a_stop_stops_hits_too(world: World, cached: Serve) -> None:
    gateway = cached()
    stored(gateway, world)
    Stop.objects.create(
        organization=world.organization,
        scope="team",
        target=world.team.public_id,
        created_by="test",
    )
    revisions.bump()

    eventually(lambda: asked(gateway, world)[2] == "stopped")


def test_a_model_that_is_not_allowed_is_not_answered_from_the_cache(
    world: World, cached: Serve
) -> None:
    policy = world.policy()
    narrow = {
        "name": "narrow",
        "api_key": "kt_cg_narrow",
        "wallet_team_id": f"team_{world.team.slug}",
        "allowed_models": ["gpt-4o"],
    }
    gateway = cached(consumer_groups=[*policy["consumer_groups"], narrow])
    stored(gateway, world)

    answer = gateway.chat("kt_cg_narrow")

    assert (answer.status, answer.error["code"]) == (403, "model_not_allowed")
