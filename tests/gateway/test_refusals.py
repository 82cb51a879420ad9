"""Requests that are refused before anything is sent upstream, and what their callers are told."""

from decimal import Decimal

import pytest
from django.utils import timezone

from gateway.models import ModelPrice
from tests import factories
from tests.gateway.conftest import Serve, World
from tests.gateway.serving import chat, eventually
from wallets import ledger
from wallets.models import CostTicket, Entry, Limit, Reservation, Wallet

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def poor(world: World) -> World:
    """The same world with a team ``marketing`` that has a tenth of a cent."""
    world.team = factories.make_team(
        world.organization, "marketing", balance="0.001", draws_on_parent=False
    )
    return world


def _free(world: World, model: str) -> None:
    ModelPrice.objects.create(
        provider="openai", model=model, valid_from=timezone.now(), input=0, output=0,
        created_by="test",
    )  # fmt: skip


def test_an_empty_wallet_is_told_so_and_nothing_goes_upstream(poor: World, serve: Serve) -> None:
    gateway = serve(group={"name": "marketing"})

    answer = gateway.chat(poor.key)

    assert answer.status == 402
    error = answer.error
    assert error["message"] == "Budget exceeded for consumer group: marketing"
    assert (error["type"], error["code"]) == ("budget_exceeded", "insufficient_balance")
    details = error["details"]
    assert details["team"] == "marketing"
    assert (details["budget"], details["spent"], details["balance"]) == (0.001, 0, 0.001)
    assert details["estimated_cost"] > 0.001
    assert (details["scope"], details["wallet"]) == ("team", poor.wallet.public_id)
    assert details["ticket"] == CostTicket.objects.get().public_id
    assert details["fund_url"].endswith(f"/wallet/{poor.wallet.pk}/change/")
    assert (details["retry_after"], details["contended"]) == (None, False)
    assert poor.upstream.requests == []
    assert Reservation.objects.count() == 0


def test_what_could_be_afforded_can_be_afforded(poor: World, serve: Serve) -> None:
    gateway = serve(group={"name": "marketing"})
    fits = gateway.chat(poor.key).error["details"]["affordable_max_tokens"]

    assert gateway.chat(poor.key, max_tokens=fits + 1).status == 402
    assert gateway.chat(poor.key, max_tokens=fits).status == 200


def test_a_refusal_has_an_event_without_cost(poor: World, serve: Serve) -> None:
    gateway = serve(group={"name": "marketing"})

    answer = gateway.chat(poor.key)

    event = poor.event()
    assert event.id == answer.headers["x-keeptrusts-request-id"]
    assert (event.verdict, event.status) == ("block", 402)
    assert (event.reason_code, event.cost) == ("insufficient_balance", None)
    assert (event.prompt_tokens, event.hold) == (0, 0)


def test_amounts_of_a_refusal_are_fixed_point(poor: World, serve: Serve) -> None:
    gateway = serve(group={"name": "marketing"})

    raw = gateway.chat(poor.key).raw

    assert b'"balance":0.001,' in raw
    assert b"e-" not in raw


def test_a_model_without_a_price_is_refused(world: World, serve: Serve) -> None:
    gateway = serve()

    answer = gateway.chat(world.key, model="nobody-knows-me")

    assert (answer.status, answer.error["code"]) == (402, "model_not_priced")
    assert answer.error["message"] == (
        "The model 'nobody-knows-me' of provider 'openai' has no price. Platform administrators "
        "set one with POST /v1/model-pricing; 'unpriced_models: allow' in the policy file lets it "
        "pass unpaid."
    )
    assert world.event().reason_code == "model_not_priced"
    assert world.upstream.requests == []


def test_who_asks_for_an_unknown_model_is_told_where_the_known_ones_are(
    world: World, serve: Serve
) -> None:
    gateway = serve(target={"models": ["gpt-4o-mini"]})

    answer = gateway.chat(world.key, model="nobody-knows-me")

    assert (answer.status, answer.error["code"]) == (404, "model_not_found")
    assert answer.error["message"] == (
        "The model 'nobody-knows-me' does not exist here. GET /v1/models lists what does."
    )


def test_an_unpriced_model_passes_where_that_is_allowed(world: World, serve: Serve) -> None:
    gateway = serve(cost_tracking={"unpriced_models": "allow"})

    answer = gateway.chat(world.key, model="nobody-knows-me")

    assert answer.status == 200
    event = world.event()
    assert (event.cost, event.flags) == (0, ["unpriced"])


def test_a_billable_feature_without_a_price_is_refused(world: World, serve: Serve) -> None:
    gateway = serve()

    answer = gateway.chat(world.key, web_search_options={})

    assert (answer.status, answer.error["code"]) == (402, "feature_not_priced")
    assert world.upstream.requests == []


@pytest.mark.parametrize(
    "model",
    [
        *("omni-moderation-latest", "text-moderation-stable", "text-embedding-3-small"),
        *("gpt-4o-mini-tts", "gpt-4o-mini-transcribe", "gpt-image-1"),
    ],
)
def test_the_price_of_a_model_that_writes_no_text_is_none_for_a_chat(
    world: World, serve: Serve, model: str
) -> None:
    gateway = serve()

    assert gateway.chat(world.key, model=model).error["code"] == "model_not_priced"
    assert world.upstream.requests == []


def test_a_model_is_free_only_where_somebody_set_it_so(world: World, serve: Serve) -> None:
    gateway = serve(target={"provider": "openrouter"})

    answer = gateway.chat(world.key, model="qwen3-8b:free")

    assert (answer.status, answer.error["code"]) == (402, "model_not_priced")


def test_a_free_model_works_at_zero_balance(world: World, serve: Serve) -> None:
    world.team = factories.make_team(world.organization, "empty", draws_on_parent=False)
    _free(world, "free-model")
    gateway = serve()

    answer = gateway.chat(world.key, model="free-model")

    assert (answer.status, answer.headers["x-keeptrusts-cost"]) == (200, "0")
    assert world.event().cost == 0
    assert Reservation.objects.count() == 0


def test_a_limit_refuses_with_its_own_code_and_the_time_it_ends(world: World, serve: Serve) -> None:
    Limit.objects.create(
        organization=world.organization, team=world.team, period="day", amount=20_000
    )
    gateway = serve()

    answer = gateway.chat(world.key)

    assert (answer.status, answer.error["code"]) == (402, "daily_limit_exceeded")
    assert answer.error["details"]["limit"] == 0.00002
    assert 0 < int(answer.headers["retry-after"]) <= 86_401
    assert world.event().reason_code == "daily_limit_exceeded"


def test_a_limit_of_nothing_allows_nothing(world: World, serve: Serve) -> None:
    Limit.objects.create(organization=world.organization, period="month", amount=0)
    gateway = serve()

    assert gateway.chat(world.key).error["code"] == "monthly_limit_exceeded"


def test_the_organization_pays_for_a_team_that_may_draw_on_it(world: World, serve: Serve) -> None:
    world.team = factories.make_team(world.organization, "empty", draws_on_parent=True)
    gateway = serve()

    answer = gateway.chat(world.key)

    assert answer.status == 200
    wallet = factories.organization_wallet(world.organization)
    assert answer.headers["x-keeptrusts-wallet"] == wallet.public_id
    assert wallet.total_spent == 17_100


def test_a_personal_key_is_paid_by_the_persons_own_wallet(world: World, serve: Serve) -> None:
    user = factories.make_user(world.organization, "ada", member_of=(world.team,))
    wallet = factories.make_user_wallet(world.team, user, balance=1)
    secret = factories.make_personal_key(world.team, user).secret
    gateway = serve()

    answer = gateway.request(
        "POST", "/v1/chat/completions", body=chat(), headers={"authorization": f"Bearer {secret}"}
    )

    assert answer.headers["x-keeptrusts-wallet"] == wallet.public_id
    event = world.event()
    assert (event.user_id, event.team_id) == (user.pk, world.team.pk)


def test_a_frozen_wallet_refuses(world: World, serve: Serve) -> None:
    Wallet.objects.filter(pk=world.wallet.pk).update(frozen=True)
    gateway = serve()

    assert gateway.chat(world.key).error["code"] == "wallet_frozen"


def test_debt_of_the_organization_refuses_what_costs_and_passes_what_does_not(
    world: World, serve: Serve
) -> None:
    wallet = factories.organization_wallet(world.organization)
    ledger.post_one(
        ledger.PaymentRefund(
            organization_id=world.organization.pk, wallet=factories.ref(wallet),
            amount=factories.nano(200), reference="paypal:refund:1",
        )
    )  # fmt: skip
    _free(world, "free-model")
    gateway = serve()

    refused = gateway.chat(world.key)

    assert (refused.status, refused.error["code"]) == (402, "organization_in_debt")
    assert gateway.chat(world.key, model="free-model").status == 200


def test_debt_is_noticed_within_seconds_and_so_is_its_end(world: World, serve: Serve) -> None:
    gateway = serve()
    assert gateway.chat(world.key).status == 200
    wallet = factories.organization_wallet(world.organization)

    ledger.post_one(
        ledger.PaymentRefund(
            organization_id=world.organization.pk, wallet=factories.ref(wallet),
            amount=factories.nano(200), reference="paypal:refund:1",
        )
    )  # fmt: skip
    eventually(lambda: gateway.chat(world.key).status == 402, seconds=5)
    assert gateway.chat(world.key).error["code"] == "organization_in_debt"

    factories.fund(wallet, 300)
    eventually(lambda: gateway.chat(world.key).status == 200, seconds=5)


def test_a_budget_alert_with_block_refuses_when_the_budget_is_used(
    world: World, serve: Serve
) -> None:
    factories.spend(world.wallet, Decimal("9.5"))
    gateway = serve(cost_tracking={"budget_alerts": [{"threshold_percent": 95, "action": "block"}]})

    answer = gateway.chat(world.key)

    assert (answer.status, answer.error["code"]) == (402, "budget_alert_block")
    assert (answer.error["details"]["budget"], answer.error["details"]["spent"]) == (10, 9.5)
    assert world.upstream.requests == []


def test_a_refusal_writes_no_entry(poor: World, serve: Serve) -> None:
    gateway = serve(group={"name": "marketing"})
    before = Entry.objects.count()

    gateway.chat(poor.key)

    assert Entry.objects.count() == before
