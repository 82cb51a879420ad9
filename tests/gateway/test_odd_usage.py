"""Providers whose usage is missing, early, contradictory or absurd: what came is what is paid."""

import json
from typing import Any

import pytest

from tests.gateway.conftest import Serve, World
from wallets.models import Reservation

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]

TEXT = "one two three"
WORDS = ("one", " two", " three")
EVENT_STREAM = {"content-type": "text/event-stream"}


def _event(**fields: Any) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def _text(text: str) -> bytes:
    return _event(choices=[{"index": 0, "delta": {"content": text}}])


def _usage(**reported: Any) -> bytes:
    return _event(choices=[], usage=reported)


def _streams(world: World, *events: bytes) -> None:
    world.upstream.behave(raw=b"".join(events) + b"data: [DONE]\n\n", headers=EVENT_STREAM)


@pytest.mark.parametrize(
    "usage",
    [{}, {"prompt_tokens": "14", "completion_tokens": "x"}, {"total_tokens": 39}],
    ids=["empty", "texts", "total alone"],
)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_usage_that_says_nothing_is_counted(
    world: World, serve: Serve, usage: dict[str, Any], stream: bool
) -> None:
    world.upstream.behave(usage=usage, words=WORDS)
    gateway = serve()

    gateway.chat(world.key, stream=stream)

    event = world.event()
    assert event.completion_tokens == 3
    assert "usage_estimated" in event.flags
    assert event.prompt_tokens > 0
    assert world.wallet.total_spent == event.cost > 0


def test_a_usage_before_the_text_does_not_make_the_text_free(world: World, serve: Serve) -> None:
    _streams(world, _usage(prompt_tokens=14, completion_tokens=0), _text(TEXT))
    gateway = serve()

    gateway.chat(world.key, stream=True)

    event = world.event()
    assert (event.prompt_tokens, event.completion_tokens) == (14, 3)
    assert event.flags == ["usage_estimated"]


def test_of_usages_that_contradict_each_other_the_larger_counts(world: World, serve: Serve) -> None:
    _streams(
        world,
        _text(TEXT),
        _usage(prompt_tokens=14, completion_tokens=25),
        _usage(prompt_tokens=0, completion_tokens=0),
    )
    gateway = serve()

    gateway.chat(world.key, stream=True)

    event = world.event()
    assert (event.prompt_tokens, event.completion_tokens) == (14, 25)
    assert (event.cost, event.flags) == (17_100, ["usage_conflicting"])


def test_a_usage_that_grows_with_the_text_is_nothing_odd(world: World, serve: Serve) -> None:
    _streams(
        world,
        _event(
            choices=[{"index": 0, "delta": {"content": TEXT}}],
            usage={"prompt_tokens": 14, "completion_tokens": 3},
        ),
        _usage(prompt_tokens=14, completion_tokens=25),
    )
    gateway = serve()

    gateway.chat(world.key, stream=True)

    assert (world.event().cost, world.event().flags) == (17_100, [])


def test_texts_outside_of_deltas_are_counted(world: World, serve: Serve) -> None:
    _streams(world, _event(choices=[{"index": 0, "text": TEXT}]))
    gateway = serve()

    gateway.chat(world.key, stream=True)

    assert world.event().completion_tokens == 3


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_an_absurd_usage_is_brought_near_to_what_was_sent(
    world: World, serve: Serve, stream: bool
) -> None:
    world.upstream.behave(usage={"prompt_tokens": 10**30, "completion_tokens": 10**30})
    gateway = serve()

    gateway.chat(world.key, stream=stream, max_tokens=80, n=2)

    event = world.event()
    # 2 choices of 80 tokens, an eighth more, and 64 for each.
    assert event.completion_tokens == 2 * 80 + 20 + 2 * 64
    # The bound by bytes (its hold was computed with it) is far below a thousand here.
    assert event.prompt_tokens < 1_000
    assert event.flags == ["usage_clamped"]
    assert world.wallet.total_spent == event.cost


def test_a_few_tokens_above_the_bound_are_charged_as_reported(world: World, serve: Serve) -> None:
    world.upstream.behave(usage={"prompt_tokens": 14, "completion_tokens": 100})
    gateway = serve()

    gateway.chat(world.key, max_tokens=80)

    assert (world.event().completion_tokens, world.event().flags) == (100, [])


ERROR = {"error": {"message": "boom", "code": 500}}


def _given_back(world: World, reason: str) -> None:
    event = world.event()
    assert (event.verdict, event.reason_code, event.cost) == ("error", reason, 0)
    assert Reservation.objects.get().state == "refunded"
    assert (world.wallet.posted, world.wallet.reserved) == (10_000_000_000, 0)


@pytest.mark.parametrize("body", [ERROR, {"choices": []} | ERROR], ids=["alone", "no choices"])
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_an_error_with_a_good_status_costs_nothing(
    world: World, serve: Serve, body: dict[str, Any], stream: bool
) -> None:
    world.upstream.behave(raw=json.dumps(body).encode())
    gateway = serve()

    answer = gateway.chat(world.key, stream=stream)

    assert (answer.status, answer.json) == (502, body)
    _given_back(world, "upstream_error")


def test_an_answer_with_nothing_in_it_costs_nothing(world: World, serve: Serve) -> None:
    world.upstream.behave(raw=b"{}")
    gateway = serve()

    answer = gateway.chat(world.key)

    assert (answer.status, answer.error["code"]) == (502, "upstream_empty")
    _given_back(world, "upstream_empty")


@pytest.mark.parametrize("raw", [b"", b"data: [DONE]\n\n"], ids=["nothing", "done"])
def test_an_empty_stream_costs_nothing(world: World, serve: Serve, raw: bytes) -> None:
    world.upstream.behave(raw=raw, headers=EVENT_STREAM)
    gateway = serve()

    answer = gateway.chat(world.key, stream=True)

    assert b'"code":"upstream_empty"' in answer.raw
    _given_back(world, "upstream_empty")


def test_a_role_and_then_an_error_costs_nothing(world: World, serve: Serve) -> None:
    role = _event(choices=[{"index": 0, "delta": {"role": "assistant", "content": ""}}])
    world.upstream.behave(raw=role + _event(**ERROR), headers=EVENT_STREAM)
    gateway = serve()

    gateway.chat(world.key, stream=True)

    _given_back(world, "upstream_error")


def test_an_error_after_some_text_is_charged_and_has_a_reason(world: World, serve: Serve) -> None:
    world.upstream.behave(raw=_text(TEXT) + _event(**ERROR), headers=EVENT_STREAM)
    gateway = serve()

    gateway.chat(world.key, stream=True)

    event = world.event()
    assert (event.verdict, event.reason_code) == ("error", "upstream_error")
    assert event.completion_tokens == 3
