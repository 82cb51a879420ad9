"""The content filter of a running gateway, against a provider that moderates."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.models import DecisionEvent
from tests.fakes.upstream import FakeUpstream
from tests.gateway.conftest import Serve, World
from wallets.models import Reservation, Stop

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
        pytest.param({"status": 401, "error": {}}, id="not allowed"),
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
        assert "x-should-retry" not in answer.headers
        assert _paths(world) == ["/v1/moderations"]
        event = world.event()
        assert (event.verdict, event.reason_code) == ("block", "content_filter_unavailable")
        assert event.flags == ["moderation_unavailable"]


@pytest.mark.parametrize("status", [404, 405, 501])
class TestWhereNobodyHasModerations:
    """The only target has no such route."""

    def test_a_policy_that_blocks_says_what_to_configure(
        self, world: World, serve: Serve, status: int
    ) -> None:
        world.upstream.once(status=status, error={"error": {"message": "no"}})
        gateway = serve(policies=[_policy("block", "hate", name="no-hate")])

        answer = gateway.chat(world.key)

        assert (answer.status, answer.error["code"]) == (503, "content_filter_unavailable")
        assert answer.error["message"] == (
            "The policy 'no-hate' blocks by content, and no target of the model 'gpt-4o-mini' has "
            "moderations (asked: 'openai'). Add a target with /moderations that serves the model, "
            "or set the action of the policy to flag."
        )
        assert answer.headers["x-should-retry"] == "false"
        assert "retry-after" not in answer.headers
        event = world.event()
        assert (event.verdict, event.reason_code) == ("block", "content_filter_unavailable")
        assert event.details["moderation"]["unavailable"] == "no_moderations"

    def test_a_policy_that_flags_is_open_and_asks_but_once(
        self, world: World, serve: Serve, status: int
    ) -> None:
        world.upstream.once(status=status, error={})
        gateway = serve(policies=[_policy("flag", "hate")])

        assert [gateway.chat(world.key).status for _ in range(2)] == [200, 200]

        chats = ["/v1/chat/completions"] * 2
        assert _paths(world) == ["/v1/moderations", *chats]
        flags = DecisionEvent.objects.values_list("flags", flat=True)
        assert list(flags) == [["moderation_unavailable"]] * 2


def test_a_target_without_moderations_is_asked_again_after_some_minutes(
    world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.moderation.stage.NONE_SECONDS", 0.0)
    world.upstream.once(status=404, error={})
    gateway = serve(policies=[_policy("block", "hate")])
    assert gateway.chat(world.key).status == 503

    world.upstream.once(raw=_answer(hate=False))

    assert gateway.chat(world.key).status == 200


@pytest.fixture
def second() -> Iterator[FakeUpstream]:
    with FakeUpstream() as server:
        yield server


def _both(world: World, second: FakeUpstream) -> dict[str, Any]:
    """Two targets for every model: the second is asked when the first fails."""
    first = {"id": "first", "provider": "openai", "base_url": world.upstream.url}
    other = {"id": "second", "provider": "openai", "base_url": second.url, "priority": 1}
    return {"targets": [first, other]}


@pytest.mark.parametrize(
    "behaviour",
    [{"status": 404, "error": {}}, {"status": 500, "error": {}}, {"raw": b"<html>"}],
    ids=["has none", "broken", "garbage"],
)
def test_the_next_target_is_asked_where_the_first_cannot_say(
    world: World, second: FakeUpstream, serve: Serve, behaviour: dict[str, Any]
) -> None:
    world.upstream.once(**behaviour)
    second.once(raw=_answer(hate=False))
    gateway = serve(providers=_both(world, second), policies=[_policy("block", "hate")])

    assert gateway.chat(world.key).status == 200

    assert _paths(world) == ["/v1/moderations", "/v1/chat/completions"]
    assert [request.path for request in second.requests] == ["/v1/moderations"]
    event = world.event()
    assert (event.target, event.details["moderation"]["target"]) == ("first", "second")
    assert event.flags == []


def test_a_filter_that_is_only_unreachable_now_asks_for_patience(
    world: World, second: FakeUpstream, serve: Serve
) -> None:
    world.upstream.once(status=500, error={})
    second.once(status=404, error={})
    gateway = serve(providers=_both(world, second), policies=[_policy("block", "hate")])

    answer = gateway.chat(world.key)

    assert (answer.error["code"], answer.headers["retry-after"]) == (
        "content_filter_unavailable",
        "5",
    )
    assert world.event().details["moderation"]["unavailable"] == "status_500"


def test_a_stopped_provider_is_not_asked_for_moderations(
    world: World, second: FakeUpstream, serve: Serve
) -> None:
    Stop.objects.create(
        organization=world.organization, scope="provider", target="other", created_by="test"
    )
    targets = _both(world, second)
    targets["targets"][1]["provider"] = "other"
    world.upstream.once(status=404, error={})
    gateway = serve(providers=targets, policies=[_policy("block", "hate")])

    assert gateway.chat(world.key).status == 503
    assert second.requests == []


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
