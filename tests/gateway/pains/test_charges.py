"""Pains with single charges: for failures, twice, by the wrong price, and without a reason."""

from typing import Any

import pytest

from gateway.pricing import lines
from tests.gateway.conftest import Serve, World
from tests.gateway.pains.asking import COST, INPUT, OUTPUT, PROMPT, WRITTEN
from tests.gateway.serving import chat
from wallets.models import Entry, Reservation

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]

FAILURES: list[dict[str, Any]] = [
    {"status": 500, "error": {"error": {"message": "no"}}},
    {"status": 400, "error": {"error": {"message": "no"}}},
    {"raw": b'{"error": {"message": "no"}}'},
    {"raw": b'{"choices": []}'},
    {"raw": b"<html>"},
    {"cut_after": 0},
    {"reset": True},
]


@pytest.mark.parametrize("failure", FAILURES, ids=str)
def test_pain_06_a_failed_call_is_charged(
    world: World, serve: Serve, failure: dict[str, Any]
) -> None:
    world.upstream.behave(**failure)
    gateway = serve()

    assert gateway.chat(world.key).status >= 400

    event = world.event()
    assert (event.verdict, event.cost) == ("error", 0)
    assert Reservation.objects.get().state == "refunded"
    wallet = world.wallet
    assert (wallet.posted, wallet.reserved, wallet.total_spent) == (10_000_000_000, 0, 0)


def test_pain_09_the_providers_prompt_cache_is_priced_wrong(world: World, serve: Serve) -> None:
    world.upstream.behave(
        usage={
            "prompt_tokens": 1_000,
            "completion_tokens": 25,
            "prompt_tokens_details": {"cached_tokens": 800},
        }
    )
    gateway = serve()

    gateway.chat(world.key, messages=[{"role": "user", "content": "long " * 1_000}])

    assert world.event().cost == 200 * INPUT + 800 * (INPUT // 2) + 25 * OUTPUT == 105_000
    assert world.wallet.total_spent == 105_000


def test_pain_17_retries_are_billed_twice(world: World, serve: Serve) -> None:
    world.upstream.once(status=503, error={"error": {"message": "busy"}})
    world.upstream.once()
    world.upstream.once(reset=True)
    gateway = serve()

    answers = [gateway.chat(world.key) for _ in range(2)]

    assert [answer.status for answer in answers] == [200, 200]
    assert len(world.upstream.requests) == 4
    assert world.wallet.total_spent == 2 * COST
    assert Entry.objects.filter(type="settle").count() == 2


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_pain_17_a_client_that_repeats_its_request_pays_once(
    world: World, serve: Serve, stream: bool
) -> None:
    gateway = serve()

    answers = [
        gateway.request(
            "POST", "/v1/chat/completions", body=chat(stream=stream), key=world.key,
            headers={"idempotency-key": "order-7"},
        )
        for _ in range(3)
    ]  # fmt: skip

    assert [answer.status for answer in answers] == [200, 200, 200]
    assert [answer.headers.get("idempotent-replayed") for answer in answers] == [
        None,
        *["true"] * 2,
    ]
    assert (len(world.upstream.requests), world.wallet.total_spent) == (1, COST)


def test_pain_23_cache_hits_disagree_about_money_and_tokens(world: World, serve: Serve) -> None:
    gateway = serve(cache={"enabled": True})
    paid = gateway.chat(world.key)

    hit = gateway.chat(world.key)

    assert [answer.headers["x-keeptrusts-cache"] for answer in (paid, hit)] == ["miss", "hit"]
    assert hit.headers["x-keeptrusts-cost"] == "0"
    event = world.event(verdict="cached")
    assert (event.cost, event.estimated_avoided_cost) == (0, COST)
    assert (event.prompt_tokens, event.completion_tokens) == (14, 25)
    assert world.wallet.total_spent == COST


def test_pain_24_estimates_are_too_small_or_too_large(world: World, serve: Serve) -> None:
    gateway = serve(cost_tracking={"default_max_output_tokens": 200})

    gateway.chat(world.key)
    gateway.chat(world.key, max_tokens=30, n=2)

    first, second = Reservation.objects.order_by("created_at")
    assert [world.event(reservation=hold.pk).hold for hold in (first, second)] == [
        PROMPT * INPUT + 200 * OUTPUT,
        PROMPT * INPUT + 2 * 30 * OUTPUT,
    ]
    assert [request.body["max_tokens"] for request in world.upstream.requests] == [200, 30]


def test_pain_25_nobody_can_explain_a_deduction(world: World, serve: Serve) -> None:
    gateway = serve()

    answer = gateway.chat(world.key)

    event = world.event(pk=answer.headers["x-keeptrusts-request-id"])
    receipt = lines.read(event.details["lines"])
    assert [(line.name, line.tokens) for line in receipt] == [("input", 14), ("output", 25)]
    assert lines.total(receipt) == event.cost == COST
    settle = Entry.objects.get(type="settle", reservation=event.reservation)
    assert (settle.d_posted, settle.posted_after) == (-COST, world.wallet.posted)
    assert event.price_version


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_pain_25_negative_usage_credits_the_account(
    world: World, serve: Serve, stream: bool
) -> None:
    world.upstream.behave(usage={"prompt_tokens": -1_000_000, "completion_tokens": -1_000_000})
    gateway = serve()

    gateway.chat(world.key, stream=stream)

    event = world.event()
    assert "usage_clamped" in event.flags
    assert event.cost == WRITTEN * OUTPUT == world.wallet.total_spent
