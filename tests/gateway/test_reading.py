"""Routes that cost nothing: health, readiness and the list of models."""

import pytest
from anthropic import Anthropic
from openai import OpenAI

from tests.gateway.conftest import Serve, World

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]


def test_alive_and_ready(world: World, serve: Serve) -> None:
    gateway = serve()

    assert gateway.request("GET", "/healthz").json == {"status": "ok"}
    ready = gateway.request("GET", "/readyz")
    assert (ready.status, ready.json["status"]) == (200, "ok")


def test_not_ready_while_it_shuts_down(world: World, serve: Serve) -> None:
    gateway = serve()
    gateway.application._stopping = True

    ready = gateway.request("GET", "/readyz")

    assert (ready.status, ready.json["serving"]) == (503, False)


def test_the_models_of_a_target(world: World, serve: Serve) -> None:
    gateway = serve(target={"models": ["gpt-4o-mini", "gpt-4o"]})

    with OpenAI(api_key=world.key, base_url=f"{gateway.url}/v1", max_retries=0) as client:
        names = [model.id for model in client.models.list()]
        one = client.models.retrieve("gpt-4o")

    assert names == ["gpt-4o", "gpt-4o-mini"]
    assert one.owned_by == "openai"


def test_a_target_without_a_list_offers_what_has_a_price(world: World, serve: Serve) -> None:
    gateway = serve()

    rows = gateway.request("GET", "/v1/models", key=world.key).json["data"]

    names = [row["id"] for row in rows]
    assert {"gpt-4o-mini", "text-embedding-3-small"} <= set(names)
    assert not {"moderation", "gpt-4o-mini-tts"} & set(names)


def test_a_target_without_a_list_offers_only_names_that_can_be_asked_for(
    world: World, serve: Serve
) -> None:
    gateway = serve()

    rows = gateway.request("GET", "/v1/models", key=world.key).json["data"]

    names = {row["id"] for row in rows}
    assert {"gpt-3.5-turbo", "davinci-002", "gpt-audio"} <= names
    assert not {"ada", "davinci", "text-davinci-003", "gpt-realtime"} & names
    assert [name for name in names if name.endswith("-") or "realtime" in name] == []


def test_the_anthropic_client_reads_the_models(world: World, serve: Serve) -> None:
    gateway = serve(target={"provider": "anthropic", "models": ["claude-sonnet-5"]})

    with Anthropic(api_key=world.key, base_url=gateway.url, max_retries=0) as client:
        names = [model.id for model in client.models.list()]
        one = client.models.retrieve("claude-sonnet-5")

    assert names == ["claude-sonnet-5"]
    assert (one.type, one.display_name) == ("model", "claude-sonnet-5")


def test_a_caller_sees_only_what_it_may_use(world: World, serve: Serve) -> None:
    gateway = serve(group={"allowed_models": ["gpt-4o"]})

    rows = gateway.request("GET", "/v1/models", key=world.key).json["data"]

    assert [row["id"] for row in rows] == ["gpt-4o"]
    hidden = gateway.request("GET", "/v1/models/gpt-4o-mini", key=world.key)
    assert (hidden.status, hidden.error["code"]) == (404, "model_not_found")


def test_the_list_needs_a_key(world: World, serve: Serve) -> None:
    assert serve().request("GET", "/v1/models").status == 401
