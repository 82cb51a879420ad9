"""Which attempts a request makes when targets fail, and that it is paid once whatever they are."""

import json
import socket
from collections.abc import Iterator

import pytest

from tests.fakes.upstream import FakeUpstream, Gate
from tests.gateway.conftest import Serve, World
from tests.gateway.serving import RunningGateway, chat, eventually
from tests.gateway.several import NOT_THERE, OUT_OF_QUOTA, Pair, attempts, price, settled
from wallets.models import Reservation

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]

SAME_PRICE = 17_100


@pytest.fixture
def pair(world: World, upstream: FakeUpstream, serve: Serve) -> Iterator[Pair]:
    price("other", 1)
    with FakeUpstream() as second:
        yield Pair(world, upstream, second, serve)


@pytest.fixture
def nobody() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}/v1"


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_reset_connection_is_tried_once_more(pair: Pair, stream: bool) -> None:
    pair.first.once(reset=True)
    gateway = pair.start()

    assert gateway.chat(pair.world.key, stream=stream).status == 200

    assert pair.asked == (2, 0)
    assert attempts(pair.world.event()) == [
        {"target": "first", "error": "upstream_unreachable"},
        {"target": "first", "status": 200},
    ]
    settled(pair.world, SAME_PRICE)


def test_a_target_nobody_listens_at_gives_way_to_the_next(pair: Pair, nobody: str) -> None:
    gateway = pair.start(first={"base_url": nobody})

    assert gateway.chat(pair.world.key).status == 200

    event = pair.world.event()
    assert attempts(event) == [
        {"target": "first", "error": "upstream_unreachable"},
        {"target": "first", "error": "upstream_unreachable"},
        {"target": "second", "status": 200},
    ]
    assert (event.verdict, event.target, event.provider) == ("allow", "second", "other")
    settled(pair.world, SAME_PRICE)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_an_error_of_the_server_leads_to_the_next_target(pair: Pair, stream: bool) -> None:
    pair.first.behave(status=503, error=NOT_THERE)
    gateway = pair.start()

    assert gateway.chat(pair.world.key, stream=stream).status == 200

    assert pair.asked == (1, 1)
    assert attempts(pair.world.event()) == [
        {"target": "first", "status": 503},
        {"target": "second", "status": 200},
    ]
    settled(pair.world, SAME_PRICE)


def test_a_busy_target_gives_way_at_once_and_its_wait_is_recorded(pair: Pair) -> None:
    pair.first.behave(status=429, error=NOT_THERE, headers={"retry-after": "30"})
    gateway = pair.start()

    assert gateway.chat(pair.world.key).status == 200

    assert attempts(pair.world.event()) == [
        {"target": "first", "status": 429, "retry_after": 30.0},
        {"target": "second", "status": 200},
    ]


def test_a_busy_target_alone_is_asked_again_after_a_short_wait(world: World, serve: Serve) -> None:
    world.upstream.once(status=429, error=NOT_THERE, headers={"retry-after-ms": "20"})
    gateway = serve()

    assert gateway.chat(world.key).status == 200

    assert attempts(world.event()) == [
        {"target": "openai", "status": 429, "retry_after": 0.02},
        {"target": "openai", "status": 200},
    ]
    settled(world, SAME_PRICE)


def test_a_wait_beyond_the_total_time_is_not_begun(world: World, serve: Serve) -> None:
    world.upstream.behave(status=429, error=NOT_THERE, headers={"retry-after": "2"})
    gateway = serve(target={"timeouts": {"total": 1.5}})

    answer = gateway.chat(world.key)

    assert (answer.status, answer.headers["retry-after"]) == (429, "2")
    assert len(world.upstream.requests) == 1


def test_an_account_without_money_is_left_for_the_next_requests_too(pair: Pair) -> None:
    pair.first.behave(status=429, error=OUT_OF_QUOTA, headers={"retry-after": "0"})
    gateway = pair.start()

    for _ in range(3):
        assert gateway.chat(pair.world.key).status == 200

    assert pair.asked == (1, 3)
    breaker = gateway.application.running._life._forwarding.breakers
    assert [(name, found.reason) for name, found in breaker if found.reason] == [
        ("first", "out_of_quota")
    ]


@pytest.mark.parametrize("status", [400, 403, 404, 413, 422])
def test_the_callers_own_mistakes_are_not_repeated(pair: Pair, status: int) -> None:
    error = {"error": {"message": "yours", "type": "invalid_request_error", "code": "bad"}}
    pair.first.behave(status=status, error=error)
    gateway = pair.start()

    answer = gateway.chat(pair.world.key)

    assert (answer.status, answer.json) == (status, error)
    assert pair.asked == (1, 0)


def test_our_own_key_refused_by_one_provider_is_not_the_callers_mistake(pair: Pair) -> None:
    pair.first.behave(status=401, error=NOT_THERE)
    gateway = pair.start()
    assert gateway.chat(pair.world.key).status == 200


def test_a_stream_that_does_not_begin_in_time_goes_to_the_next_target(pair: Pair) -> None:
    gate = Gate()
    pair.first.behave(gate=gate)
    quick = {"timeouts": {"connect": 0.2, "first_byte": 0.2, "total": 20.0}}
    gateway = pair.start(first=quick)

    answer = gateway.chat(pair.world.key, stream=True)
    gate.open()

    assert b"Clouds" in answer.raw
    assert attempts(pair.world.event()) == [
        {"target": "first", "error": "upstream_timeout"},
        {"target": "second", "status": 200},
    ]
    settled(pair.world, SAME_PRICE)


@pytest.mark.parametrize(
    "broken",
    [
        {"cut_after": 0},
        {"words": (), "usage": None, "done": False, "cut_after": 0},
        {
            "raw": b'data: {"error":{"message":"overloaded"}}\n\n',
            "headers": {"content-type": "text/event-stream"},
        },
    ],
    ids=["cut", "nothing", "error"],
)
def test_a_stream_of_which_nothing_was_passed_on_is_begun_anew(
    pair: Pair, broken: dict[str, object]
) -> None:
    pair.first.once(**broken)
    gateway = pair.start()

    answer = gateway.chat(pair.world.key, stream=True)

    assert answer.status == 200
    assert answer.raw.count(b"Clouds") == answer.raw.count(b"[DONE]") == 1
    assert b"overloaded" not in answer.raw
    event = pair.world.event()
    assert [row["target"] for row in event.attempts] == ["first", "second"]
    assert (event.verdict, event.cost) == ("allow", SAME_PRICE)
    settled(pair.world, SAME_PRICE)


def test_a_stream_of_which_something_was_passed_on_is_never_repeated(pair: Pair) -> None:
    pair.first.behave(cut_after=2)
    gateway = pair.start()

    answer = gateway.chat(pair.world.key, stream=True)

    assert b"upstream_broke_off" in answer.raw
    assert pair.asked == (1, 0)
    assert pair.world.event().verdict == "error"


@pytest.mark.parametrize("raw", [b"garbage", b"{}"], ids=["garbage", "empty"])
def test_a_plain_answer_of_no_use_goes_to_the_next_target(pair: Pair, raw: bytes) -> None:
    pair.first.behave(raw=raw)
    gateway = pair.start()

    assert gateway.chat(pair.world.key).status == 200

    assert pair.asked == (1, 1)
    assert attempts(pair.world.event())[0]["status"] == 200
    assert attempts(pair.world.event())[0]["error"].startswith("upstream_")
    settled(pair.world, SAME_PRICE)


def test_all_targets_failing_leave_no_hold_and_answer_with_the_last(pair: Pair) -> None:
    def error(name: str) -> dict[str, object]:
        return {"error": {"message": "no", "type": "server_error", "code": name}}

    pair.first.behave(status=500, error=error("first"))
    pair.second.behave(status=502, error=error("second"))
    gateway = pair.start()

    answer = gateway.chat(pair.world.key)

    assert pair.asked == (2, 2)
    event = pair.world.event()
    assert [row["status"] for row in event.attempts[:2]] == [500, 502]
    last = event.attempts[-1]
    assert (answer.status, answer.json) == (last["status"], error(last["target"]))
    assert (event.verdict, event.reason_code, event.cost) == ("error", "upstream_error", 0)
    assert Reservation.objects.get().state == "refunded"
    assert (pair.world.wallet.posted, pair.world.wallet.reserved) == (10_000_000_000, 0)


def test_an_answer_says_more_than_a_connection_that_was_lost(pair: Pair, nobody: str) -> None:
    pair.first.behave(status=429, error=NOT_THERE, headers={"retry-after": "9"})
    gateway = pair.start(second={"base_url": nobody})

    answer = gateway.chat(pair.world.key)

    assert (answer.status, answer.headers["retry-after"]) == (429, "9")


def test_the_total_time_of_the_first_target_bounds_all_attempts(pair: Pair) -> None:
    gate = Gate()
    pair.first.behave(status=503, error=NOT_THERE)
    pair.second.behave(gate=gate)
    gateway = pair.start(first={"timeouts": {"total": 0.5}})

    answer = gateway.chat(pair.world.key)
    gate.open()

    assert (answer.status, answer.error["code"]) == (504, "upstream_timeout")
    assert attempts(pair.world.event()) == [
        {"target": "first", "status": 503},
        {"target": "second", "error": "upstream_timeout"},
    ]
    assert Reservation.objects.get().state == "refunded"


def test_a_failing_target_is_left_alone_after_five_failures(pair: Pair) -> None:
    pair.first.behave(status=500, error=NOT_THERE)
    gateway = pair.start()

    for _ in range(8):
        assert gateway.chat(pair.world.key).status == 200

    assert pair.asked == (5, 8)


def test_a_single_target_is_asked_though_its_circuit_is_open(world: World, serve: Serve) -> None:
    world.upstream.behave(status=500, error=NOT_THERE)
    gateway = serve()
    for _ in range(5):
        gateway.chat(world.key)
    failed = len(world.upstream.requests)

    world.upstream.behave()

    assert gateway.chat(world.key).status == 200
    assert len(world.upstream.requests) == failed + 1


def test_retries_and_fallbacks_are_billed_once(pair: Pair) -> None:
    """Pain 17: four attempts, one answer, one charge."""
    pair.first.once(reset=True)
    pair.first.once(status=500, error=NOT_THERE)
    pair.second.once(reset=True)
    gateway = pair.start()

    answer = gateway.chat(pair.world.key)

    assert (answer.status, answer.headers["x-keeptrusts-cost"]) == (200, "0.0000171")
    assert [row["target"] for row in pair.world.event().attempts] == [
        "first",
        "first",
        "second",
        "second",
    ]
    settled(pair.world, SAME_PRICE)


def test_a_client_that_left_is_not_tried_for_again(pair: Pair) -> None:
    gate = Gate()
    pair.first.behave(status=500, error=NOT_THERE, gate=gate)
    gateway = pair.start()
    _leave(gateway, pair.world.key, gate)

    gate.open()

    event = pair.world.event()
    assert attempts(event) == [{"target": "first", "status": 500}]
    assert pair.asked == (1, 0)
    assert Reservation.objects.get().state == "refunded"


def test_a_client_that_leaves_between_two_attempts_pays_nothing(world: World, serve: Serve) -> None:
    """The provider has answered that it did nothing: there is no prompt to pay for."""
    world.upstream.behave(status=429, error=NOT_THERE, headers={"retry-after": "3"})
    gateway = serve(target={"on_disconnect": "stop"})
    headers = {"content-type": "application/json", "x-consumer-group": world.key}

    with gateway.connection() as connection:
        body = json.dumps(chat(stream=True))
        connection.request("POST", "/v1/chat/completions", body, headers)
        eventually(lambda: gateway.application.running._calls, what="it runs")
        (call,) = gateway.application.running._calls
        eventually(lambda: "retry_after" in (call.event.attempts or [{}])[0], what="it pauses")

    event = world.event()
    assert (event.reason_code, event.cost) == ("client_disconnected", 0)
    assert len(world.upstream.requests) == 1
    assert Reservation.objects.get().state == "refunded"


def _leave(gateway: RunningGateway, key: str, gate: Gate) -> None:
    """Ask, and hang up once the provider has the request."""
    headers = {"content-type": "application/json", "x-consumer-group": key}
    with gateway.connection() as connection:
        connection.request("POST", "/v1/chat/completions", json.dumps(chat()), headers)
        assert gate.reached.wait(10)
    calls = list(gateway.application.running._calls)
    eventually(lambda: all(call.gone for call in calls), what="the client is gone")
