"""Refusals on the routes of Anthropic's API, in its own shape; and the count of tokens."""

from typing import Any

import anthropic
import pytest
from anthropic import Anthropic

from gateway.pricing import set_price
from tests import factories
from tests.gateway.conftest import Serve, World
from tests.gateway.routes.test_messages import HELLO, MODEL, TARGET, ask
from tests.gateway.serving import Answer, RunningGateway, eventually

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def gateway(serve: Serve) -> RunningGateway:
    return serve(target=TARGET)


FEATURES = [
    (
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        "tool:web_search_20250305",
    ),
    ({"tools": [{"type": "web_fetch_20250910", "name": "f"}]}, "tool:web_fetch_20250910"),
    ({"tools": [{"type": "code_execution_20250825"}]}, "tool:code_execution_20250825"),
    ({"tools": [{"type": "advisor_20260301", "model": "x"}]}, "tool:advisor_20260301"),
    ({"mcp_servers": [{"type": "url", "url": "https://x", "name": "x"}]}, "mcp_servers"),
    ({"container": "container_1"}, "container"),
    ({"service_tier": "priority"}, "service_tier"),
    ({"speed": "fast"}, "speed"),
    ({"inference_geo": "us"}, "inference_geo"),
    ({"context_management": {"edits": [{"type": "compact_20260112"}]}}, "compaction"),
    ({"thread": {"type": "continue", "previous_message_id": "msg_1"}}, "thread"),
]


@pytest.mark.parametrize(("fields", "feature"), FEATURES, ids=[name for _, name in FEATURES])
def test_what_nobody_has_priced_is_refused(
    world: World, gateway: RunningGateway, fields: dict[str, Any], feature: str
) -> None:
    answer = ask(gateway, world, **fields)

    assert (answer.status, answer.json["type"]) == (402, "error")
    assert answer.error["code"] == "feature_not_priced"
    assert answer.error["details"]["features"] == [feature]
    assert world.upstream.requests == []
    assert world.wallet.posted == 10_000_000_000


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{"type": "bash_20250124", "name": "bash"}]},
        {"tools": [{"type": "text_editor_20250728", "name": "edit"}]},
        {"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}},
        {"service_tier": "auto"},
        {"thinking": {"type": "enabled", "budget_tokens": 50}},
        {"max_tokens": 0},
    ],
    ids=str,
)
def test_what_costs_only_its_tokens_passes(
    world: World, gateway: RunningGateway, fields: dict[str, Any]
) -> None:
    assert ask(gateway, world, **fields).status == 200


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": ["hello"]}, "messages.0"),
        ({"thinking": {"type": "enabled", "budget_tokens": "many"}}, "thinking.budget_tokens"),
        ({"fallbacks": [{"model": "claude-opus-4-8"}]}, "fallbacks"),
        ({"billing_policy": {"bill_to": "user_profile"}}, "billing_policy"),
        ({"anthropic_beta": ["context-1m-2025-08-07"]}, "anthropic_beta"),
        ({"Max_Tokens": 100_000}, "Max_Tokens"),
        ({"stream": "yes"}, "stream"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_wrong_field_is_named(
    world: World, gateway: RunningGateway, fields: dict[str, Any], name: str
) -> None:
    answer = ask(gateway, world, **fields)

    assert (answer.status, answer.json["type"]) == (400, "error")
    assert (answer.error["type"], answer.error["param"]) == ("invalid_request_error", name)
    assert world.upstream.requests == []


def test_an_empty_wallet_is_told_with_its_details(world: World, serve: Serve) -> None:
    world.team = factories.make_team(world.organization, "empty", balance=0, draws_on_parent=False)
    gateway = serve(target=TARGET, group={"wallet_team_id": "team_empty"})

    answer = ask(gateway, world)

    assert (answer.status, answer.error["type"]) == (402, "billing_error")
    assert answer.error["code"] == "insufficient_balance"
    assert answer.error["details"]["team"] == "empty"


def test_a_wrong_key_is_refused_in_the_same_shape(world: World, gateway: RunningGateway) -> None:
    with (
        Anthropic(api_key="kt_cg_wrong", base_url=gateway.url, max_retries=0) as client,
        pytest.raises(anthropic.AuthenticationError) as caught,
    ):
        client.messages.create(model=MODEL, max_tokens=9, messages=HELLO)  # type: ignore[arg-type]

    body: Any = caught.value.body
    assert body["error"]["type"] == "authentication_error"


def test_an_error_of_the_provider_passes_as_it_is(world: World, gateway: RunningGateway) -> None:
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": "too hot"}}
    world.upstream.behave(status=400, error=error)

    answer = ask(gateway, world)

    assert (answer.status, answer.json) == (400, error)
    assert world.wallet.posted == 10_000_000_000


def test_an_error_in_another_shape_is_put_into_this_one(
    world: World, gateway: RunningGateway
) -> None:
    world.upstream.behave(status=400, error={"error": {"message": "no", "code": "x"}})

    answer = ask(gateway, world)

    assert (answer.status, answer.json["type"]) == (400, "error")
    assert (answer.error["type"], answer.error["message"]) == ("invalid_request_error", "no")


def test_counting_tokens_costs_nothing(world: World, gateway: RunningGateway) -> None:
    with Anthropic(api_key=world.key, base_url=gateway.url, max_retries=0) as client:
        counted = client.messages.count_tokens(model="claude-unknown", messages=HELLO)  # type: ignore[arg-type]

    assert counted.input_tokens == 14
    assert world.upstream.requests[0].path == "/v1/messages/count_tokens"
    event = world.event()
    assert (event.verdict, event.cost, event.hold) == ("allow", 0, 0)
    assert world.wallet.posted == 10_000_000_000


def test_counting_tokens_of_a_model_that_is_not_allowed(world: World, serve: Serve) -> None:
    gateway = serve(target=TARGET, group={"allowed_models": ["claude-opus-5"]})

    answer = gateway.request(
        "POST",
        "/v1/messages/count_tokens",
        body={"model": MODEL, "messages": HELLO},
        key=world.key,
    )

    assert (answer.status, answer.error["type"]) == (403, "permission_error")
    assert answer.error["code"] == "model_not_allowed"
    assert world.upstream.requests == []


def test_a_wider_context_needs_a_price_by_tiers(world: World, gateway: RunningGateway) -> None:
    price: dict[str, Any] = {
        "input_cost_per_1k_tokens": "0.002",
        "output_cost_per_1k_tokens": "0.01",
    }
    set_price(provider="anthropic", model="claude-flat", created_by="usr_1", **price)
    tier = {"start": 200_000, **price}
    set_price(provider="anthropic", model="claude-tiers", created_by="usr_1", tiers=[tier], **price)
    eventually(lambda: _wide(gateway, world, "claude-tiers").status == 200, what="the new prices")

    assert _wide(gateway, world, MODEL).status == 200
    answer = _wide(gateway, world, "claude-flat")

    assert (answer.status, answer.error["code"]) == (402, "feature_not_priced")
    assert answer.error["details"]["features"] == ["long_context"]


def _wide(gateway: RunningGateway, world: World, model: str) -> Answer:
    return gateway.request(
        "POST",
        "/v1/messages",
        body={"model": model, "max_tokens": 9, "messages": HELLO},
        key=world.key,
        headers={"anthropic-beta": "context-1m-2025-08-07"},
    )
