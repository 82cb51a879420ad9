"""Requests that make no sense: a clear answer that names the field, and nothing else happens."""

import json
from typing import Any

import pytest

from gateway.models import DecisionEvent
from tests.gateway.conftest import Serve, World
from tests.gateway.serving import Answer, chat
from wallets.models import Reservation

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]

FIELDS = [
    ({"model": None}, "model"),
    ({"model": 7}, "model"),
    ({"model": "x" * 121}, "model"),
    ({"model": "a\0b"}, "model"),
    ({"messages": None}, "messages"),
    ({"messages": []}, "messages"),
    ({"messages": "hello"}, "messages"),
    ({"messages": ["hello"]}, "messages.0"),
    ({"stream": "yes"}, "stream"),
    ({"stream": True, "stream_options": []}, "stream_options"),
    ({"n": 0}, "n"),
    ({"n": -1}, "n"),
    ({"n": 1.5}, "n"),
    ({"n": 10**9}, "n"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": -5}, "max_tokens"),
    ({"max_tokens": "12"}, "max_tokens"),
    ({"max_tokens": 1e300}, "max_tokens"),
    ({"max_tokens": True}, "max_tokens"),
    ({"max_completion_tokens": 10**30}, "max_completion_tokens"),
]


@pytest.fixture
def gateway(serve: Serve) -> Any:
    return serve()


def _changed_nothing(world: World) -> None:
    assert world.upstream.requests == []
    assert Reservation.objects.count() == 0
    assert world.wallet.posted == 10_000_000_000


@pytest.mark.parametrize(("fields", "name"), FIELDS, ids=lambda value: str(value)[:40])
def test_a_wrong_field_is_named(
    world: World, gateway: Any, fields: dict[str, Any], name: str
) -> None:
    answer = gateway.chat(world.key, **fields)

    assert answer.status == 400
    error = answer.error
    assert (error["type"], error["param"]) == ("invalid_request_error", name)
    assert set(error) == {"message", "type", "param", "code"}
    _changed_nothing(world)


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b'"text"', b"null", b"\xff\xfe", b"{" * 5000], ids=repr
)
def test_a_body_that_is_no_json_object(world: World, gateway: Any, raw: bytes) -> None:
    answer = gateway.request("POST", "/v1/chat/completions", raw=raw, key=world.key)

    assert (answer.status, answer.error["code"]) == (400, "invalid_json")
    _changed_nothing(world)


@pytest.mark.parametrize(
    "name",
    [
        *("MODEL", "Max_Tokens", "maxTokens", "N", "Stream", "\u017ftream"),
        *("models", "Models", "route", "provider", "transforms", "fallbacks", "extra_body"),
        *("api_base", "base_url", "api_key", "user_config", "chat_template"),
    ],
)
def test_a_field_that_would_change_what_was_priced(world: World, gateway: Any, name: str) -> None:
    answer = gateway.chat(world.key, **{name: 100_000})

    assert (answer.status, answer.error["code"]) == (400, "unsupported_field")
    assert answer.error["param"] == name
    assert answer.error["message"].startswith(name)
    _changed_nothing(world)


def test_other_unknown_fields_pass(world: World, gateway: Any) -> None:
    gateway.chat(world.key, top_k=7, Temperature=1, models=None)

    assert world.upstream.requests[0].body["top_k"] == 7


@pytest.mark.parametrize("levels", [128, 254, 1000])
@pytest.mark.parametrize("name", ["metadata", "logit_bias", "tools", "zzz", "messages"])
def test_a_body_that_is_nested_too_deeply(
    world: World, gateway: Any, name: str, levels: int
) -> None:
    body = json.dumps(chat()).removesuffix("}")
    nested = f'{body}, "{name}": {"[" * levels}{"]" * levels}}}'

    answer = gateway.request("POST", "/v1/chat/completions", raw=nested.encode(), key=world.key)

    assert (answer.status, answer.error["param"]) == (400, name)
    assert "nested too deeply" in answer.error["message"]
    _changed_nothing(world)


def test_a_body_may_be_nested_as_deep_as_that(world: World, gateway: Any) -> None:
    body = json.dumps(chat()).removesuffix("}")
    nested = f'{body}, "metadata": {"[" * 127}{"]" * 127}}}'

    answer = gateway.request("POST", "/v1/chat/completions", raw=nested.encode(), key=world.key)

    assert answer.status == 200


def test_a_bad_request_has_an_event_too(world: World, gateway: Any) -> None:
    gateway.chat(world.key, n=0)

    event = DecisionEvent.objects.get()
    assert (event.verdict, event.status) == ("error", 400)
    assert (event.reason_code, event.cost) == ("invalid_request", 0)


def test_a_body_that_is_too_long(world: World, gateway: Any) -> None:
    answer = gateway.chat(world.key, messages=[{"role": "user", "content": "x" * 11 * 2**20}])

    assert (answer.status, answer.error["code"]) == (413, "request_too_large")
    _changed_nothing(world)


def test_a_model_no_target_serves(world: World, serve: Serve) -> None:
    gateway = serve(target={"models": ["gpt-4o"]})

    answer = gateway.chat(world.key)

    assert (answer.status, answer.error["code"]) == (404, "model_not_found")


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/unknown", "/v1/chat/completions/"])
def test_an_unknown_route(gateway: Any, path: str) -> None:
    answer: Answer = gateway.request("POST", path, body={})

    assert (answer.status, answer.error["code"]) == (404, "unknown_url")
    assert set(answer.error) == {"message", "type", "param", "code"}


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/chat/completions"), ("POST", "/healthz"), ("DELETE", "/v1/models")],
)
def test_a_wrong_method(world: World, gateway: Any, method: str, path: str) -> None:
    answer = gateway.request(method, path, key=world.key)

    assert (answer.status, answer.error["code"]) == (405, "method_not_allowed")


def test_a_large_prompt_is_priced_and_served(world: World, gateway: Any) -> None:
    answer = gateway.chat(
        world.key, max_tokens=1, messages=[{"role": "user", "content": "long " * 40_000}]
    )

    assert answer.status == 200


def test_a_request_like_any_other_still_passes(world: World, gateway: Any) -> None:
    assert gateway.request("POST", "/v1/chat/completions", body=chat(), key=world.key).status == 200
