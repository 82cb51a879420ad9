"""Requests that are refused before anything is sent upstream, and what their callers are told."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from gateway.models import DecisionEvent, ModelPrice
from tests import factories
from tests.gateway.conftest import Serve, World
from tests.gateway.serving import chat, eventually
from wallets import ledger, revisions
from wallets.models import Entry, Limit, Reservation, Stop, Wallet

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
    assert (details["ticket"], details["fund_url"], details["retry_after"]) == (None, None, None)
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
    assert world.event().reason_code == "model_not_priced"
    assert world.upstream.requests == []


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


@pytest.mark.parametrize(
    ("stopped", "asked"),
    [
        ("gpt-4", "GPT-4"),
        ("GPT-4", "gpt-4"),
        ("gpt-4", "gpt-4-0613"),
        ("gpt-4", "Gpt-4-0314"),
        ("gpt-4", " gpt-4"),
        ("gpt-4o", "gpt-4o-2024-05-13"),
        ("gpt-4-0613", "gpt-4-0613"),
    ],
)
def test_a_stopped_model_is_stopped_however_it_is_spelled(
    world: World, serve: Serve, stopped: str, asked: str
) -> None:
    Stop.objects.create(
        organization=world.organization, scope="model", target=stopped, created_by="test"
    )
    gateway = serve()

    assert gateway.chat(world.key, model=asked).error["code"] == "stopped"
    assert gateway.chat(world.key, model="gpt-4o-mini").status == 200


def test_a_key_that_may_use_no_model_may_use_none(world: World, serve: Serve) -> None:
    group = factories.make_consumer_group(world.team, "batch")
    _, secret = factories.make_group_key(group, allowed_models=[])
    gateway = serve()

    assert gateway.chat(secret).error["code"] == "model_not_allowed"


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


def test_a_stop_refuses_within_seconds_and_a_resume_lets_pass(world: World, serve: Serve) -> None:
    gateway = serve()
    assert gateway.chat(world.key).status == 200

    stop = Stop.objects.create(
        organization=world.organization, scope="team", target=world.team.public_id,
        created_by="test",
    )  # fmt: skip
    revisions.bump()
    eventually(lambda: gateway.chat(world.key).status == 402, seconds=5)
    error = gateway.chat(world.key).error
    assert (error["code"], error["details"]) == ("stopped", {"scope": "team", "reason": None})

    Stop.objects.filter(pk=stop.pk).update(lifted_at=timezone.now())
    revisions.bump()
    eventually(lambda: gateway.chat(world.key).status == 200, seconds=5)


@pytest.mark.parametrize(
    ("scope", "target"),
    [("model", "gpt-4o-mini"), ("provider", "openai")],
    ids=["model", "provider"],
)
def test_models_and_providers_can_be_stopped(
    world: World, serve: Serve, scope: str, target: str
) -> None:
    Stop.objects.create(
        organization=world.organization, scope=scope, target=target, created_by="test",
        reason="r" * 201,
    )  # fmt: skip
    gateway = serve()

    error = gateway.chat(world.key).error
    assert error["code"] == "stopped"
    assert error["details"] == {"scope": scope, "reason": "r" * 200}
    assert world.upstream.requests == []


def test_a_revoked_key_is_refused_within_seconds(world: World, serve: Serve) -> None:
    group = factories.make_consumer_group(world.team, "batch")
    key, secret = factories.make_group_key(group)
    gateway = serve()
    assert gateway.chat(secret).status == 200

    key.revoked_at = timezone.now()
    key.save()
    revisions.bump()

    eventually(lambda: gateway.chat(secret).status == 401, seconds=5)


def test_the_file_key_of_an_archived_group_is_refused(world: World, serve: Serve) -> None:
    group = factories.make_consumer_group(world.team, "engineering")
    gateway = serve()
    assert gateway.chat(world.key).status == 200

    group.archived_at = timezone.now()
    group.save()
    revisions.bump()

    eventually(lambda: gateway.chat(world.key).status == 401, seconds=5)


def test_an_archived_group_of_another_team_takes_no_key_away(world: World, serve: Serve) -> None:
    other = factories.make_team(world.organization, "others")
    group = factories.make_consumer_group(other, "engineering")
    group.archived_at = timezone.now()
    group.save()

    assert serve().chat(world.key).status == 200


def test_an_expired_key_is_refused_at_once(world: World, serve: Serve) -> None:
    group = factories.make_consumer_group(world.team, "batch")
    expires = timezone.now() + timedelta(seconds=1)
    _, secret = factories.make_group_key(group, expires_at=expires)
    gateway = serve()

    eventually(lambda: gateway.chat(secret).status == 401, seconds=5)
    assert timezone.now() >= expires


def test_a_key_of_the_database_may_be_bound_to_models(world: World, serve: Serve) -> None:
    group = factories.make_consumer_group(world.team, "batch")
    _, secret = factories.make_group_key(group, allowed_models=["gpt-4o"])
    gateway = serve()

    answer = gateway.chat(secret)

    assert (answer.status, answer.error["code"]) == (403, "model_not_allowed")


def test_a_group_of_the_file_may_be_bound_to_models(world: World, serve: Serve) -> None:
    gateway = serve(group={"allowed_models": ["gpt-4o"]})

    assert gateway.chat(world.key).error["code"] == "model_not_allowed"


def test_keys_of_another_organization_are_not_served(world: World, serve: Serve) -> None:
    other = factories.make_team(factories.make_organization("other", credit=5), "them")
    _, secret = factories.make_group_key(factories.make_consumer_group(other))
    gateway = serve()

    assert gateway.chat(secret).status == 401


def test_no_key_and_a_wrong_key_are_refused_without_an_event(world: World, serve: Serve) -> None:
    gateway = serve()

    for key in (None, "kt_cg_wrong"):
        answer = gateway.chat(key)
        assert (answer.status, answer.error["code"]) == (401, "invalid_api_key")
    assert DecisionEvent.objects.count() == 0


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
