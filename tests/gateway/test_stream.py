"""Streamed completions: what passes when, what is hidden, what the end waits for."""

import asyncio
import json
from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI

from gateway.models import DecisionEvent
from tests.fakes.upstream import Gate
from tests.gateway.conftest import Serve, World
from tests.gateway.serving import Answer, eventually
from wallets.models import Reservation

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]


def _chunks(answer: Answer) -> list[Any]:
    """The JSON of every data event but ``[DONE]``."""
    lines = [line[6:] for line in answer.raw.decode().split("\n") if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def test_a_stream_passes_whole_and_costs_its_tokens(world: World, serve: Serve) -> None:
    gateway = serve()

    answer = gateway.chat(world.key, stream=True)

    text = "".join(c["choices"][0]["delta"].get("content", "") for c in _chunks(answer))
    assert text == "Clouds drift by"
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert world.wallet.total_spent == 17_100
    event = world.event()
    assert (event.verdict, event.streamed, event.cost) == ("allow", True, 17_100)


def test_cost_and_balance_stand_in_a_comment_before_the_end(world: World, serve: Serve) -> None:
    gateway = serve()

    answer = gateway.chat(world.key, stream=True)

    assert answer.raw.endswith(b": keeptrusts cost=0.0000171 balance=9.9999829\n\ndata: [DONE]\n\n")
    assert answer.raw.count(b"[DONE]") == 1


def test_usage_is_asked_for_upstream_and_hidden_from_who_did_not_ask(
    world: World, serve: Serve
) -> None:
    gateway = serve()

    answer = gateway.chat(world.key, stream=True)

    assert world.upstream.requests[0].body["stream_options"] == {"include_usage": True}
    assert [chunk for chunk in _chunks(answer) if chunk.get("usage") or not chunk["choices"]] == []


def test_usage_is_shown_to_who_asked(world: World, serve: Serve) -> None:
    gateway = serve()

    answer = gateway.chat(world.key, stream=True, stream_options={"include_usage": True})

    assert _chunks(answer)[-1]["usage"]["total_tokens"] == 39


def test_the_openai_client_streams(world: World, serve: Serve) -> None:
    gateway = serve()

    with OpenAI(api_key=world.key, base_url=f"{gateway.url}/v1", max_retries=0) as client:
        stream = client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "Hello"}], stream=True
        )
        text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    assert text == "Clouds drift by"


def test_the_asynchronous_openai_client_streams(world: World, serve: Serve) -> None:
    gateway = serve()

    async def read() -> str:
        async with AsyncOpenAI(
            api_key=world.key, base_url=f"{gateway.url}/v1", max_retries=0
        ) as client:
            stream = await client.chat.completions.create(
                model="gpt-4o-mini", messages=[{"role": "user", "content": "Hello"}], stream=True
            )
            return "".join([c.choices[0].delta.content or "" async for c in stream])

    assert asyncio.run(read()) == "Clouds drift by"


def test_chunks_pass_before_the_answer_is_complete(world: World, serve: Serve) -> None:
    gate = Gate()
    world.upstream.behave(gate_after=(1, gate))
    gateway = serve()

    with gateway.asking(world.key, stream=True) as connection:
        response = connection.getresponse()
        first = response.readline()
        held = Reservation.objects.get().state
        gate.open()
        rest = response.read()

    assert b"Clouds" in first
    assert held == "held"
    assert rest.endswith(b"data: [DONE]\n\n")


def test_the_end_comes_after_the_settle(world: World, serve: Serve) -> None:
    gateway = serve()

    for _ in range(5):
        assert gateway.chat(world.key, stream=True).raw.endswith(b"data: [DONE]\n\n")
        assert Reservation.objects.filter(state="held").count() == 0


def test_a_stream_without_usage_is_counted_and_flagged(world: World, serve: Serve) -> None:
    world.upstream.behave(usage=None, words=("one", " two", " three"))
    gateway = serve()

    gateway.chat(world.key, stream=True)

    event = world.event()
    assert (event.completion_tokens, event.flags) == (3, ["usage_estimated"])
    assert world.wallet.total_spent == event.cost


def test_a_chunk_with_a_whole_message_is_delivered_and_counted(world: World, serve: Serve) -> None:
    message = {"role": "assistant", "content": "All of this was written by the model."}
    chunk = {"id": "x", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    world.upstream.behave(events=(f"data: {json.dumps(chunk)}\n\n".encode(), b"data: [DONE]\n\n"))
    gateway = serve()

    answers = [gateway.chat(world.key, stream=True) for _ in range(12)]

    assert all(_chunks(answer) == [chunk] for answer in answers)
    assert all(answer.raw.endswith(b"\n\ndata: [DONE]\n\n") for answer in answers)
    events = DecisionEvent.objects.values_list("verdict", "completion_tokens", "cost").distinct()
    assert list(events) == [("allow", 9, 7_350)]
    breakers = gateway.application.forwarding.breakers
    assert [breaker.state for _, breaker in breakers] == ["closed"]


def test_a_chunk_of_another_tier_than_the_priced_one_is_flagged(world: World, serve: Serve) -> None:
    usage = {"prompt_tokens": 14, "completion_tokens": 25}
    delta = {"choices": [{"index": 0, "delta": {"content": "Clouds"}}]}
    said = (delta, {"choices": [], "usage": usage, "service_tier": "flex"})
    world.upstream.behave(events=tuple(f"data: {json.dumps(c)}\n\n".encode() for c in said))
    gateway = serve()

    gateway.chat(world.key, stream=True)

    event = world.event()
    assert (event.flags, event.cost) == (["service_tier:flex"], 17_100)


def test_a_stream_that_breaks_off_is_charged_for_what_came(world: World, serve: Serve) -> None:
    world.upstream.behave(cut_after=2, words=("one", " two", " three"))
    gateway = serve()

    answer = gateway.chat(world.key, stream=True)

    assert b"[DONE]" not in answer.raw
    assert _chunks(answer)[-1]["error"]["code"] == "upstream_broke_off"
    event = world.event()
    assert (event.verdict, event.reason_code) == ("error", "upstream_broke_off")
    assert (event.completion_tokens, event.flags) == (2, ["usage_estimated"])
    assert world.wallet.total_spent == event.cost


def test_a_stream_that_breaks_off_before_anything_came_costs_nothing(
    world: World, serve: Serve
) -> None:
    world.upstream.behave(cut_after=0)
    gateway = serve()

    gateway.chat(world.key, stream=True)

    assert world.event().cost == 0
    assert Reservation.objects.get().state == "refunded"
    assert world.wallet.posted == 10_000_000_000


def test_a_provider_that_ignores_stream_is_answered_plain(world: World, serve: Serve) -> None:
    body = {"choices": [], "usage": {"prompt_tokens": 14, "completion_tokens": 25}}
    world.upstream.behave(raw=json.dumps(body).encode())
    gateway = serve()

    answer = gateway.chat(world.key, stream=True)

    assert answer.json == body
    assert world.event().cost == 17_100


def test_every_stream_has_one_event(world: World, serve: Serve) -> None:
    gateway = serve()

    for _ in range(3):
        gateway.chat(world.key, stream=True)

    from gateway.models import DecisionEvent

    eventually(lambda: DecisionEvent.objects.count() == 3)
    assert DecisionEvent.objects.values("reservation").distinct().count() == 3
