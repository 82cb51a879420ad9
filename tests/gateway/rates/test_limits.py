"""Rate limits of a running gateway: 429s, headers, and what counts for how much."""

import uuid
from typing import Any

import pytest
from openai import OpenAI, RateLimitError

from gateway.models import DecisionEvent
from gateway.rates.stage import RateLimiting
from tests import factories
from tests.gateway.conftest import Serve, World
from tests.gateway.serving import Answer, RunningGateway, eventually
from wallets.models import Reservation

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]

PROMPT = 13
"""Tokens of the prompt as they are counted here; the provider reports 14 and 25."""


def _limits(**limits: int) -> dict[str, Any]:
    return {"group": {"rate_limits": limits}}


def _remaining(answer: Answer, kind: str = "tokens") -> int:
    return int(answer.headers[f"x-ratelimit-remaining-{kind}"])


def test_requests_above_the_limit_are_refused_and_nothing_is_sent(
    world: World, serve: Serve
) -> None:
    gateway = serve(**_limits(requests_per_minute=2))

    answers = [gateway.chat(world.key) for _ in range(4)]

    assert [answer.status for answer in answers] == [200, 200, 429, 429]
    assert len(world.upstream.requests) == 2
    assert world.wallet.total_spent == 2 * 17_100
    assert Reservation.objects.count() == 2


def test_a_refusal_says_what_openai_says(world: World, serve: Serve) -> None:
    gateway = serve(**_limits(requests_per_minute=1))
    gateway.chat(world.key)

    answer = gateway.chat(world.key)

    assert (answer.error["type"], answer.error["code"]) == ("requests", "rate_limit_exceeded")
    assert answer.error["details"] == {
        "limit": "requests_per_minute", "most": 1, "used": 1, "requested": 1,
    }  # fmt: skip
    assert answer.error["message"].startswith(
        "Rate limit reached for consumer group: engineering on requests per minute: "
        "Limit 1, Used 1, Requested 1. Please try again in "
    )
    assert 50 <= int(answer.headers["retry-after"]) <= 61
    assert 50_000 <= int(answer.headers["retry-after-ms"]) <= 61_000


def test_the_event_of_a_refusal_says_rate_limited(world: World, serve: Serve) -> None:
    gateway = serve(**_limits(requests_per_minute=1))
    gateway.chat(world.key)
    gateway.chat(world.key)

    event = world.event(verdict="block")
    assert (event.reason_code, event.status, event.cost) == ("rate_limited", 429, None)
    assert DecisionEvent.objects.count() == 2


def test_the_openai_client_knows_the_refusal(world: World, serve: Serve) -> None:
    gateway = serve(**_limits(requests_per_minute=1))
    gateway.chat(world.key)

    with (
        OpenAI(api_key=world.key, base_url=f"{gateway.url}/v1", max_retries=0) as client,
        pytest.raises(RateLimitError) as caught,
    ):
        client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "Hello"}]
        )

    assert caught.value.code == "rate_limit_exceeded"


def test_every_answer_says_where_the_group_stands(world: World, serve: Serve) -> None:
    gateway = serve(**_limits(requests_per_minute=10, tokens_per_minute=1_000))

    plain, streamed = gateway.chat(world.key), gateway.chat(world.key, stream=True)

    for answer, remaining in ((plain, 9), (streamed, 8)):
        assert answer.headers["x-ratelimit-limit-requests"] == "10"
        assert _remaining(answer, "requests") == remaining
        assert answer.headers["x-ratelimit-limit-tokens"] == "1000"
    assert _remaining(plain) == 1_000 - PROMPT
    assert plain.headers["x-ratelimit-reset-requests"].startswith("1m0")


def test_a_group_without_limits_is_told_nothing(world: World, serve: Serve) -> None:
    answer = serve().chat(world.key)

    assert [name for name in answer.headers if name.startswith("x-ratelimit")] == []


def _settles_at(gateway: RunningGateway, world: World, used: int) -> None:
    """The next request finds so many tokens used."""
    (stage,) = (one for one in gateway.application.stages if isinstance(one, RateLimiting))
    assert stage._counting is not None
    counts = stage._counting._own._counts
    eventually(lambda: [sum(slots.values()) for slots in counts.values()] == [used])


def test_tokens_are_corrected_to_what_the_provider_reports(world: World, serve: Serve) -> None:
    gateway = serve(**_limits(tokens_per_minute=100))

    assert _remaining(gateway.chat(world.key)) == 100 - PROMPT
    _settles_at(gateway, world, 39)
    assert _remaining(gateway.chat(world.key)) == 100 - 39 - PROMPT
    _settles_at(gateway, world, 78)
    assert _remaining(gateway.chat(world.key)) == 100 - 78 - PROMPT
    _settles_at(gateway, world, 117)
    refused = gateway.chat(world.key)

    assert (refused.status, refused.error["type"]) == (429, "tokens")
    assert refused.error["details"]["used"] == 117
    assert _remaining(refused) == 0


def test_tokens_that_were_not_used_are_given_back(world: World, serve: Serve) -> None:
    world.upstream.behave(status=400, error={"error": {"message": "no"}})
    gateway = serve(**_limits(tokens_per_minute=100))

    assert _remaining(gateway.chat(world.key)) == 100 - PROMPT

    _settles_at(gateway, world, 0)


def test_a_prompt_longer_than_the_limit_is_not_worth_another_try(
    world: World, serve: Serve
) -> None:
    gateway = serve(**_limits(tokens_per_day=5))

    answer = gateway.chat(world.key)

    assert (answer.status, answer.error["type"]) == (429, "tokens")
    assert answer.headers["x-should-retry"] == "false"
    assert "retry-after" not in answer.headers
    assert answer.error["message"].startswith("Request too large for consumer group: engineering")


def test_the_keys_of_a_group_share_its_limits(world: World, serve: Serve) -> None:
    group = factories.make_consumer_group(world.team, "engineering")
    _key, secret = factories.make_group_key(group)
    gateway = serve(**_limits(requests_per_minute=2))

    answers = [gateway.chat(key).status for key in (world.key, secret, world.key, secret)]

    assert answers == [200, 200, 429, 429]


def test_groups_without_limits_of_their_own_have_the_defaults(world: World, serve: Serve) -> None:
    _key, secret = factories.make_group_key(factories.make_consumer_group(world.team, "batch"))
    gateway = serve(rate_limit_defaults={"requests_per_minute": 1}, **_limits(tokens_per_day=9_000))

    assert [gateway.chat(secret).status for _ in range(2)] == [200, 429]
    assert [gateway.chat(world.key).status for _ in range(2)] == [200, 200]


def test_a_changed_limit_counts_what_was_used_before(world: World, serve: Serve) -> None:
    gateway = serve(**_limits(requests_per_minute=100))
    for _ in range(3):
        gateway.chat(world.key)

    gateway.write_policy(world.policy(**_limits(requests_per_minute=3)))

    eventually(lambda: gateway.chat(world.key).status == 429, seconds=5)


@pytest.mark.redis
def test_two_gateways_share_the_limits(
    world: World, serve: Serve, redis_url: str, settings: Any
) -> None:
    settings.REDIS_URL = redis_url
    # The server may be older than this test: a group nobody has counted yet.
    group = {"name": f"g-{uuid.uuid4().hex}", "rate_limits": {"requests_per_minute": 5}}
    first, second = serve(group=group), serve(group=group)

    answers = [gateway.chat(world.key).status for _ in range(4) for gateway in (first, second)]

    assert sorted(answers) == [200] * 5 + [429] * 3
    assert len(world.upstream.requests) == 5


def test_with_redis_away_requests_pass_and_are_flagged(
    world: World, serve: Serve, settings: Any
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    gateway = serve(**_limits(requests_per_minute=2))

    answers = [gateway.chat(world.key).status for _ in range(3)]

    assert answers == [200, 200, 429]
    eventually(lambda: DecisionEvent.objects.count() == 3)
    assert {tuple(event.flags) for event in DecisionEvent.objects.all()} == {
        ("rate_limit_degraded",)
    }
