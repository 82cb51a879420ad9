"""Plain completions: what they cost, what goes upstream, what comes back."""

import json

import pytest
from openai import AsyncOpenAI, OpenAI

from tests.gateway.conftest import Serve, World
from tests.gateway.serving import chat
from wallets.models import Entry, Reservation

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]


def test_a_completion_costs_its_tokens_to_the_nano_dollar(world: World, serve: Serve) -> None:
    gateway = serve()

    answer = gateway.chat(world.key)

    assert answer.status == 200
    assert answer.json["usage"]["total_tokens"] == 39
    wallet = world.wallet
    assert (wallet.posted, wallet.reserved) == (10_000_000_000 - 17_100, 0)
    assert wallet.total_spent == 17_100
    assert Reservation.objects.get().state == "settled"


def test_the_answer_says_what_it_cost_and_who_paid(world: World, serve: Serve) -> None:
    gateway = serve()

    headers = gateway.chat(world.key).headers

    assert headers["x-keeptrusts-cost"] == "0.0000171"
    assert headers["x-keeptrusts-balance"] == "9.9999829"
    assert headers["x-keeptrusts-wallet"] == world.wallet.public_id
    assert headers["x-keeptrusts-cache"] == "bypass"
    assert headers["x-keeptrusts-request-id"].startswith("req_")


def test_the_event_is_there_before_the_answer(world: World, serve: Serve) -> None:
    gateway = serve()

    answer = gateway.chat(world.key, user="somebody", metadata={"project": "haiku"})

    event = world.event()
    assert event.id == answer.headers["x-keeptrusts-request-id"]
    assert (event.verdict, event.status, event.reason_code) == ("allow", 200, "")
    assert (event.prompt_tokens, event.completion_tokens, event.cost) == (14, 25, 17_100)
    assert (event.provider, event.target, event.model) == ("openai", "openai", "gpt-4o-mini")
    assert event.route == "/v1/chat/completions"
    assert event.wallet == world.wallet
    assert (event.team_id, event.consumer_group_name) == (world.team.pk, "engineering")
    assert event.reservation == Reservation.objects.get().pk
    assert event.hold == Reservation.objects.get().amount
    assert event.tags == {"project": "haiku"}
    assert len(event.end_user) == 64
    assert [(row["target"], row["status"]) for row in event.attempts] == [("openai", 200)]
    assert event.flags == []
    assert event.price_version != ""
    assert event.config_version != ""


def test_entries_are_a_reserve_and_a_settle(world: World, serve: Serve) -> None:
    gateway = serve()

    gateway.chat(world.key)

    entries = Entry.objects.filter(wallet=world.wallet).order_by("seq")
    assert [entry.type for entry in entries][-2:] == ["reserve", "settle"]


def test_the_openai_client_gets_its_answer(world: World, serve: Serve) -> None:
    gateway = serve()

    with OpenAI(api_key=world.key, base_url=f"{gateway.url}/v1", max_retries=0) as client:
        answer = client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "Hello"}]
        )

    assert answer.choices[0].message.content == "Clouds drift by"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 39


def test_the_asynchronous_openai_client_gets_its_answer(world: World, serve: Serve) -> None:
    import asyncio

    gateway = serve()

    async def ask() -> str | None:
        async with AsyncOpenAI(
            api_key=world.key, base_url=f"{gateway.url}/v1", max_retries=0
        ) as client:
            answer = await client.chat.completions.create(
                model="gpt-4o-mini", messages=[{"role": "user", "content": "Hello"}]
            )
            return answer.choices[0].message.content

    assert asyncio.run(ask()) == "Clouds drift by"


@pytest.mark.parametrize(
    "header", ["x-consumer-group", "authorization", "x-api-key"], ids=lambda name: name
)
def test_a_key_may_come_in_three_headers(world: World, serve: Serve, header: str) -> None:
    gateway = serve()
    value = f"Bearer {world.key}" if header == "authorization" else world.key

    answer = gateway.request("POST", "/v1/chat/completions", body=chat(), headers={header: value})

    assert answer.status == 200


def test_bytes_pass_unchanged_where_nothing_has_to_change(world: World, serve: Serve) -> None:
    gateway = serve()
    raw = json.dumps(chat(max_tokens=5, temperature=0.25, unknown_field={"a": [1, 2]})).encode()

    gateway.request("POST", "/v1/chat/completions", raw=raw, key=world.key)

    assert world.upstream.requests[0].raw == raw


def test_a_key_named_twice_cannot_smuggle_a_second_value(world: World, serve: Serve) -> None:
    gateway = serve()
    raw = b'{"model":"gpt-4",' + json.dumps(chat(max_tokens=5)).encode()[1:]

    gateway.request("POST", "/v1/chat/completions", raw=raw, key=world.key)

    assert world.upstream.requests[0].raw.count(b'"model"') == 1
    assert world.upstream.requests[0].body["model"] == "gpt-4o-mini"


def test_the_completion_bound_is_sent_upstream(world: World, serve: Serve) -> None:
    gateway = serve()

    gateway.chat(world.key)
    gateway.chat(world.key, max_completion_tokens=7)

    first, second = (request.body for request in world.upstream.requests)
    assert first["max_tokens"] == 4096
    assert second["max_completion_tokens"] == 7
    assert "max_tokens" not in second


def test_the_provider_sees_its_own_key_and_never_the_callers(
    world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROVIDER_KEY", "sk-provider")
    gateway = serve(target={"secret_key_ref": {"env": "PROVIDER_KEY"}})

    gateway.request(
        "POST",
        "/v1/chat/completions",
        body=chat(),
        headers={"authorization": f"Bearer {world.key}", "openai-beta": "assistants=v2"},
    )

    seen = {name.lower(): value for name, value in world.upstream.requests[0].headers.items()}
    assert seen["authorization"] == "Bearer sk-provider"
    assert seen["openai-beta"] == "assistants=v2"
    assert world.key not in str(seen)


def test_a_missing_usage_is_counted_and_flagged(world: World, serve: Serve) -> None:
    world.upstream.behave(usage=None, words=("one two three",))
    gateway = serve()

    gateway.chat(world.key)

    event = world.event()
    assert event.flags == ["usage_estimated"]
    assert event.completion_tokens == 3
    assert event.cost is not None
    assert world.wallet.total_spent == event.cost > 0


def test_a_negative_usage_is_clamped_and_never_credited(world: World, serve: Serve) -> None:
    world.upstream.behave(usage={"prompt_tokens": -5_000_000, "completion_tokens": 25})
    gateway = serve()

    gateway.chat(world.key)

    event = world.event()
    assert event.flags == ["usage_clamped"]
    assert (event.prompt_tokens, event.cost) == (0, 15_000)
    assert world.wallet.posted == 10_000_000_000 - 15_000


def test_a_cost_above_the_hold_is_charged(world: World, serve: Serve) -> None:
    world.upstream.behave(usage={"prompt_tokens": 200, "completion_tokens": 25})
    gateway = serve()

    gateway.chat(world.key, max_tokens=5)

    event = world.event()
    assert event.cost == 45_000
    assert event.cost > event.hold
    assert world.wallet.total_spent == 45_000


def test_without_enforcement_nothing_is_held_but_the_event_is_priced(
    world: World, serve: Serve
) -> None:
    gateway = serve(cost_tracking={"wallet_enforcement": False})

    answer = gateway.chat(world.key)

    assert answer.status == 200
    assert answer.headers["x-keeptrusts-cost"] == "0.0000171"
    event = world.event()
    assert (event.cost, event.hold, event.wallet, event.reservation) == (17_100, 0, None, None)
    assert Reservation.objects.count() == 0
    assert world.wallet.total_spent == 0
