"""A provider that fails: its status and body reach the client, the hold returns whole."""

import json
import socket

import pytest

from tests.fakes.upstream import Gate
from tests.gateway.conftest import Serve, World
from tests.gateway.serving import RunningGateway
from wallets.models import Reservation

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]

QUICK = {"timeouts": {"connect": 0.3, "first_byte": 0.3, "idle": 0.3, "total": 5.0}}


def _given_back(world: World, reason: str) -> None:
    """Held, returned whole, and recorded as a failure."""
    event = world.event()
    assert (event.verdict, event.reason_code, event.cost) == ("error", reason, 0)
    assert Reservation.objects.get().state == "refunded"
    assert (world.wallet.posted, world.wallet.reserved) == (10_000_000_000, 0)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_an_error_of_the_provider_passes_as_it_is(
    world: World, serve: Serve, status: int, stream: bool
) -> None:
    error = {"error": {"message": "no", "type": "their_type", "param": None, "code": "theirs"}}
    world.upstream.behave(status=status, error=error, headers={"retry-after": "7"})
    gateway = serve()

    answer = gateway.chat(world.key, stream=stream)

    assert (answer.status, answer.json) == (status, error)
    assert answer.headers["retry-after"] == "7"
    _given_back(world, "upstream_error")
    assert world.event().status == status


LEAK = "Incorrect API key provided: sk-provi****5678."


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, {"message": LEAK, "type": "invalid_request_error", "code": "invalid_api_key"}),
        (403, {"message": LEAK, "type": "invalid_request_error", "code": None}),
        (403, {"message": LEAK, "type": "permission_error"}),
    ],
)
def test_our_own_key_that_is_refused_is_told_as_our_fault(
    world: World, serve: Serve, status: int, error: dict[str, object], stream: bool
) -> None:
    world.upstream.behave(status=status, error={"error": error}, headers={"retry-after": "7"})
    gateway = serve()

    answer = gateway.chat(world.key, stream=stream)

    assert (answer.status, answer.error["code"]) == (502, "upstream_unauthorized")
    assert "'openai'" in answer.error["message"]
    assert b"sk-provi" not in answer.raw
    assert answer.headers["x-should-retry"] == "false"
    assert "retry-after" not in answer.headers
    _given_back(world, "upstream_unauthorized")
    event = world.event()
    assert (event.status, event.attempts[-1]["status"]) == (502, status)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (429, {"message": LEAK, "type": "insufficient_quota", "code": "insufficient_quota"}),
        (402, {"message": LEAK, "type": "theirs"}),
        (400, {"message": LEAK, "type": "billing_error"}),
    ],
)
def test_our_account_without_money_is_told_as_our_fault(
    world: World, serve: Serve, status: int, error: dict[str, object]
) -> None:
    world.upstream.behave(status=status, error={"error": error}, headers={"retry-after": "7"})
    gateway = serve()

    answer = gateway.chat(world.key)

    assert (answer.status, answer.error["code"]) == (503, "upstream_out_of_quota")
    assert "'openai'" in answer.error["message"]
    assert b"sk-provi" not in answer.raw
    assert answer.headers["x-should-retry"] == "false"
    assert "retry-after" not in answer.headers
    _given_back(world, "upstream_out_of_quota")
    assert world.event().attempts[-1]["status"] == status


@pytest.mark.parametrize(
    ("code", "told"),
    [("invalid_api_key", 502), ("insufficient_quota", 503)],
)
def test_a_stream_that_begins_with_an_error_about_our_account_tells_none_of_it(
    world: World, serve: Serve, code: str, told: int
) -> None:
    event = json.dumps({"error": {"message": LEAK, "code": code}})
    world.upstream.behave(
        raw=f"data: {event}\n\n".encode(), headers={"content-type": "text/event-stream"}
    )
    gateway = serve()

    answer = gateway.chat(world.key, stream=True)

    assert answer.status == told
    assert b"sk-provi" not in answer.raw


def test_a_403_about_the_prompt_is_the_callers(world: World, serve: Serve) -> None:
    error = {"error": {"message": "Your input was flagged", "code": 403, "metadata": {}}}
    world.upstream.behave(status=403, error=error)
    gateway = serve()

    answer = gateway.chat(world.key)

    assert (answer.status, answer.json) == (403, error)


def test_an_error_in_another_shape_is_put_into_ours(world: World, serve: Serve) -> None:
    world.upstream.behave(status=500, raw=b"<html>oops</html>")
    gateway = serve()

    answer = gateway.chat(world.key)

    assert (answer.status, answer.error["code"]) == (500, "upstream_error")
    assert b"oops" not in answer.raw
    _given_back(world, "upstream_error")


def test_a_redirect_is_not_followed(world: World, serve: Serve) -> None:
    world.upstream.behave(status=302, raw=b"{}", headers={"location": "http://127.0.0.1:1/"})
    gateway = serve()

    assert gateway.chat(world.key).status == 502
    _given_back(world, "upstream_error")


@pytest.mark.parametrize("raw", [b"garbage", b"[1]", b""], ids=["text", "list", "nothing"])
def test_garbage_with_a_good_status(world: World, serve: Serve, raw: bytes) -> None:
    world.upstream.behave(raw=raw)
    gateway = serve()

    answer = gateway.chat(world.key)

    assert (answer.status, answer.error["code"]) == (502, "upstream_garbage")
    _given_back(world, "upstream_garbage")


def test_a_plain_answer_that_breaks_off(world: World, serve: Serve) -> None:
    world.upstream.behave(cut_after=1)
    gateway = serve()

    answer = gateway.chat(world.key)

    assert (answer.status, answer.error["code"]) == (502, "upstream_broke_off")
    _given_back(world, "upstream_broke_off")


def test_a_provider_that_is_not_there(world: World, serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    gateway = serve(target={"base_url": f"http://127.0.0.1:{port}/v1"})

    answer = gateway.chat(world.key)

    assert (answer.status, answer.error["code"]) == (502, "upstream_unreachable")
    _given_back(world, "upstream_unreachable")


def _slow(world: World, serve: Serve, **behaviour: object) -> RunningGateway:
    world.upstream.behave(**behaviour)
    return serve(target=QUICK)


def test_a_stream_that_does_not_begin_in_time(world: World, serve: Serve) -> None:
    gate = Gate()
    gateway = _slow(world, serve, gate=gate)

    answer = gateway.chat(world.key, stream=True)
    gate.open()

    assert (answer.status, answer.error["code"]) == (504, "upstream_timeout")
    _given_back(world, "upstream_timeout")


def test_a_plain_answer_that_is_not_finished_in_time(world: World, serve: Serve) -> None:
    gate = Gate()
    world.upstream.behave(gate=gate)
    gateway = serve(
        target={"timeouts": {"connect": 1.0, "first_byte": 60.0, "idle": 60.0, "total": 0.4}}
    )

    answer = gateway.chat(world.key)
    gate.open()

    assert (answer.status, answer.error["code"]) == (504, "upstream_timeout")
    _given_back(world, "upstream_timeout")


def test_a_stream_that_stalls_is_charged_for_what_came(world: World, serve: Serve) -> None:
    gate = Gate()
    gateway = _slow(world, serve, gate_after=(2, gate), words=("one", " two", " three"))

    answer = gateway.chat(world.key, stream=True)
    gate.open()

    assert b'"code":"upstream_timeout"' in answer.raw
    event = world.event()
    assert (event.verdict, event.reason_code) == ("error", "upstream_timeout")
    assert event.completion_tokens == 2
    assert world.wallet.total_spent == event.cost


def test_the_total_timeout_ends_a_stream_that_trickles(world: World, serve: Serve) -> None:
    gate = Gate()
    world.upstream.behave(gate_after=(1, gate), words=("one", " two", " three"))
    gateway = serve(
        target={"timeouts": {"connect": 1.0, "first_byte": 60.0, "idle": 60.0, "total": 0.4}}
    )

    answer = gateway.chat(world.key, stream=True)
    gate.open()

    assert b'"code":"upstream_timeout"' in answer.raw
    assert world.event().completion_tokens == 1


def test_an_error_inside_a_stream_before_any_text_costs_nothing(world: World, serve: Serve) -> None:
    world.upstream.behave(
        raw=b'data: {"error":{"message":"overloaded"}}\n\n',
        headers={"content-type": "text/event-stream"},
    )
    gateway = serve()

    answer = gateway.chat(world.key, stream=True)

    assert b"overloaded" in answer.raw
    _given_back(world, "upstream_error")


def test_the_gateway_serves_on_after_failures(world: World, serve: Serve) -> None:
    world.upstream.behave(status=500, error={"error": {"message": "no"}})
    gateway = serve()
    for _ in range(3):
        gateway.chat(world.key)

    world.upstream.behave()

    assert gateway.chat(world.key).status == 200


def test_a_body_of_several_megabytes_arrives_whole(world: World, serve: Serve) -> None:
    gateway = serve(cost_tracking={"wallet_enforcement": False})
    text = "word " * 600_000
    answer = gateway.chat(world.key, messages=[{"role": "user", "content": text}])
    assert answer.status == 200
    assert world.upstream.requests[-1].body["messages"][0]["content"] == text
