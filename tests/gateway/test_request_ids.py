"""The request id as clients of both APIs look for it, and the shape of errors without a route."""

from typing import Any

import anthropic
import openai
import pytest

from tests.gateway.conftest import Serve, World
from tests.gateway.serving import chat

pytestmark = pytest.mark.django_db(transaction=True)

MESSAGE: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "hi"}],
}
VERSION = {"anthropic-version": "2023-06-01"}
UPSTREAM = "x-keeptrusts-upstream-request-id"


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_an_answer_has_our_id_and_the_providers_under_another_name(
    world: World, serve: Serve, stream: bool
) -> None:
    world.upstream.behave(headers={"x-request-id": "theirs"})
    gateway = serve()

    answer = gateway.chat(world.key, stream=stream)

    assert answer.headers["x-request-id"] == world.event().id
    assert answer.headers["x-keeptrusts-request-id"] == world.event().id
    assert answer.headers[UPSTREAM] == "theirs"
    assert "request-id" not in answer.headers


def test_the_error_of_a_provider_has_both_ids(world: World, serve: Serve) -> None:
    error = {"error": {"message": "no", "type": "theirs"}}
    world.upstream.behave(status=400, error=error, headers={"request-id": "theirs"})
    gateway = serve()

    answer = gateway.chat(world.key)

    assert answer.headers["x-request-id"] == world.event().id
    assert answer.headers[UPSTREAM] == "theirs"


def test_the_client_of_openai_knows_the_request_that_failed(world: World, serve: Serve) -> None:
    gateway = serve(group={"allowed_models": []})
    with (
        openai.OpenAI(api_key=world.key, base_url=f"{gateway.url}/v1", max_retries=0) as client,
        pytest.raises(openai.PermissionDeniedError) as caught,
    ):
        client.chat.completions.create(**chat())

    assert caught.value.request_id == world.event().id


def test_the_client_of_anthropic_knows_the_request_that_failed(world: World, serve: Serve) -> None:
    gateway = serve(group={"allowed_models": []})
    with (
        anthropic.Anthropic(api_key=world.key, base_url=gateway.url, max_retries=0) as client,
        pytest.raises(anthropic.PermissionDeniedError) as caught,
    ):
        client.messages.create(**MESSAGE)

    assert caught.value.request_id == world.event().id


@pytest.mark.parametrize(
    ("path", "key"), [("/v1/chat/completions", "wrong"), ("/nowhere", ""), ("/v1/models", "")]
)
def test_a_refusal_before_there_is_a_request_has_an_id_too(
    serve: Serve, path: str, key: str
) -> None:
    answer = serve().request("POST", path, body=chat(), key=key)

    assert answer.status >= 400
    assert answer.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "kind"),
    [
        ("GET", "/v1/models/nothing", VERSION, 404, "not_found_error"),
        ("POST", "/v1/messages/batches", {}, 404, "not_found_error"),
        ("POST", "/v1/nowhere", VERSION, 404, "not_found_error"),
        ("POST", "/v1/models", VERSION, 405, "invalid_request_error"),
    ],
)
def test_errors_without_a_route_have_the_shape_of_the_clients_api(
    world: World, serve: Serve, method: str, path: str, headers: dict[str, str], status: int,
    kind: str,
) -> None:  # fmt: skip
    gateway = serve(target={"models": ["gpt-4o-mini"]})
    answer = gateway.request(method, path, key=world.key, headers=headers)

    assert (answer.status, answer.json["type"]) == (status, "error")
    assert answer.error["type"] == kind
    assert answer.headers["request-id"] == answer.headers["x-request-id"]


def test_an_unknown_address_is_told_to_others_in_the_shape_of_openai(
    world: World, serve: Serve
) -> None:
    answer = serve().request("POST", "/v1/nowhere", key=world.key)

    assert (answer.status, set(answer.json)) == (404, {"error"})
    assert answer.error["code"] == "unknown_url"
    assert "request-id" not in answer.headers
