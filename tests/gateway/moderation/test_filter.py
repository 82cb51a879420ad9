"""The content filter of a running gateway, against a provider that moderates."""

import json
import socket
from typing import Any

import pytest

from gateway.models import DecisionEvent
from tests.gateway.conftest import Serve, World
from wallets.models import Reservation

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]

HATE = {"hate": True, "hate/threatening": False, "sexual": False}


def _answer(**categories: bool) -> bytes:
    result = {"flagged": any(categories.values()), "categories": categories}
    return json.dumps({"id": "modr-1", "model": "omni", "results": [result]}).encode()


def _policy(action: str, *categories: str, name: str = "filter") -> dict[str, Any]:
    config = {"categories": list(categories)}
    return {"name": name, "type": "content_filter", "action": action, "config": config}


def _paths(world: World) -> list[str]:
    return [request.path for request in world.upstream.requests]


def test_without_a_policy_nobody_is_asked(world: World, serve: Serve) -> None:
    gateway = serve()

    assert gateway.chat(world.key).status == 200
    assert _paths(world) == ["/v1/chat/completions"]
    assert "moderation" not in world.event().details


def test_a_flagged_prompt_passes_and_its_event_says_so(world: World, serve: Serve) -> None:
    world.upstream.once(raw=_answer(**HATE))
    gateway = serve(policies=[_policy("flag", "hate")])

    assert gateway.chat(world.key).status == 200

    assert _paths(world) == ["/v1/moderations", "/v1/chat/completions"]
    assert world.upstream.requests[0].body == {"input": ["Write a short haiku."]}
    event = world.event()
    assert (event.verdict, event.flags) == ("allow", ["content_filter:hate"])
    assert event.details["moderation"]["categories"] == ["hate"]


def test_a_moderation_by_policy_is_not_charged(world: World, serve: Serve) -> None:
    world.upstream.once(raw=_answer(**HATE))
    gateway = serve(policies=[_policy("flag", "hate")])

    gateway.chat(world.key)

    assert world.event().details["moderation"]["charged"] is False
    assert world.wallet.total_spent == world.event().cost == 17_100


def test_a_blocked_prompt_never_reaches_the_model_and_costs_nothing(
    world: World, serve: Serve
) -> None:
    world.upstream.once(raw=_answer(**HATE))
    gateway = serve(policies=[_policy("block", "hate", name="no-hate")])

    answer = gateway.chat(world.key)

    assert (answer.status, answer.error["code"]) == (400, "content_filter")
    assert answer.error["type"] == "invalid_request_error"
    assert answer.error["details"] == {"policy": "no-hate", "categories": ["hate"]}
    assert _paths(world) == ["/v1/moderations"]
    event = world.event()
    assert (event.verdict, event.reason_code) == ("block", "content_filter")
    assert (event.cost, event.flags) == (None, ["content_filter:hate"])
    assert Reservation.objects.count() == 0
    assert world.wallet.posted == 10_000_000_000


def test_a_category_nobody_named_passes_without_a_flag(world: World, serve: Serve) -> None:
    world.upstream.once(raw=_answer(sexual=True))
    gateway = serve(policies=[_policy("block", "hate")])

    assert gateway.chat(world.key).status == 200
    assert world.event().flags == []


def test_several_policies_need_one_call(world: World, serve: Serve) -> None:
    world.upstream.once(raw=_answer(hate=True, violence=True))
    gateway = serve(
        policies=[_policy("flag", "hate", name="a"), _policy("block", "violence", name="b")]
    )

    answer = gateway.chat(world.key)

    assert answer.error["details"] == {"policy": "b", "categories": ["violence"]}
    assert _paths(world) == ["/v1/moderations"]
    assert world.event().flags == ["content_filter:hate", "content_filter:violence"]


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param({"status": 404, "error": {"error": {"message": "no"}}}, id="not there"),
        pytest.param({"status": 405, "error": {}}, id="wrong method"),
        pytest.param({"status": 501, "error": {}}, id="not implemented"),
        pytest.param({"status": 500, "error": {}}, id="broken"),
        pytest.param({"raw": b"<html>"}, id="garbage"),
        pytest.param({"raw": b'{"results": []}'}, id="empty"),
        pytest.param({"reset": True}, id="cut off"),
    ],
)
class TestWhereNobodyCanSay:
    """The moderation does not answer as one."""

    def test_a_policy_that_flags_is_open(
        self, world: World, serve: Serve, behaviour: dict[str, Any]
    ) -> None:
        world.upstream.once(**behaviour)
        gateway = serve(policies=[_policy("flag", "hate")])

        assert gateway.chat(world.key).status == 200
        assert world.event().flags == ["moderation_unavailable"]

    def test_a_policy_that_blocks_is_closed(
        self, world: World, serve: Serve, behaviour: dict[str, Any]
    ) -> None:
        world.upstream.once(**behaviour)
        gateway = serve(policies=[_policy("block", "hate")])

        answer = gateway.chat(world.key)

        assert (answer.status, answer.error["code"]) == (503, "content_filter_unavailable")
        assert answer.headers["retry-after"] == "5"
        assert _paths(world) == ["/v1/moderations"]
        event = world.event()
        assert (event.verdict, event.reason_code) == ("block", "content_filter_unavailable")
        assert event.flags == ["moderation_unavailable"]


def test_a_provider_that_cannot_be_reached_cannot_say(world: World, serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
    gateway = serve(policies=[_policy("block", "hate")], target={"base_url": url})

    assert gateway.chat(world.key).error["code"] == "content_filter_unavailable"


def test_a_moderation_that_takes_too_long_cannot_say(
    world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.fakes.upstream import Gate

    monkeypatch.setattr("gateway.moderation.stage.PATIENCE_SECONDS", 0.2)
    gate = Gate()
    world.upstream.once(gate=gate)
    gateway = serve(policies=[_policy("flag", "hate")])

    answer = gateway.chat(world.key)
    gate.open()

    assert answer.status == 200
    assert world.event().details["moderation"]["unavailable"] == "timeout"


def test_a_refused_prompt_is_one_event(world: World, serve: Serve) -> None:
    world.upstream.once(raw=_answer(**HATE))
    gateway = serve(policies=[_policy("block", "hate")])

    gateway.chat(world.key)

    world.event(verdict="block")
    assert DecisionEvent.objects.count() == 1


def test_an_answer_in_the_cache_does_not_pass_the_filter(world: World, serve: Serve) -> None:
    world.upstream.once(raw=_answer(hate=False))
    gateway = serve(policies=[_policy("block", "hate")], cache={"enabled": True})
    assert gateway.chat(world.key).status == 200

    world.upstream.once(raw=_answer(**HATE))

    assert gateway.chat(world.key).error["code"] == "content_filter"
