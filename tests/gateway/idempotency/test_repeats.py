"""Requests repeated with one key: one runs and is paid, the others get its answer."""

import json
import socket

import pytest
from django.core.cache import caches
from django.db import OperationalError

from gateway.cache.shelf import ALIAS
from gateway.idempotency.stage import Idempotency
from gateway.models import DecisionEvent, IdempotentCall
from tests import factories
from tests.fakes.upstream import Gate
from tests.gateway.conftest import Serve, World
from tests.gateway.idempotency.conftest import Ask
from tests.gateway.serving import chat, eventually
from wallets.models import Reservation

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]


def _events(raw: bytes) -> list[bytes]:
    """Everything of a stream but its comments."""
    return [part for part in raw.split(b"\n\n") if part and not part.startswith(b":")]


def test_a_repeated_request_gets_the_stored_answer_and_pays_nothing(
    world: World, serve: Serve, ask: Ask
) -> None:
    gateway = serve()

    first, second = ask(gateway), ask(gateway)

    assert (first.status, second.status) == (200, 200)
    assert second.raw == first.raw
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert second.headers["x-keeptrusts-cost"] == "0"
    assert len(world.upstream.requests) == 1
    assert world.wallet.total_spent == 17_100


def test_every_repeat_has_an_event_of_its_own(world: World, serve: Serve, ask: Ask) -> None:
    gateway = serve()

    for _ in range(3):
        ask(gateway)

    eventually(lambda: DecisionEvent.objects.count() == 3)
    replays = DecisionEvent.objects.filter(verdict="cached")
    assert (
        list(replays.values_list("reason_code", "cost", "hold"))
        == [("idempotent_replay", 0, 0)] * 2
    )
    assert DecisionEvent.objects.get(verdict="allow").cost == 17_100


def test_a_repeated_stream_is_the_same_stream(world: World, serve: Serve, ask: Ask) -> None:
    gateway = serve()

    first, second = ask(gateway, stream=True), ask(gateway, stream=True)

    assert _events(second.raw) == _events(first.raw)
    assert _events(first.raw)[-1] == b"data: [DONE]"
    assert second.headers["idempotent-replayed"] == "true"
    assert b": keeptrusts cost=0" in second.raw
    assert len(world.upstream.requests) == 1
    assert world.wallet.total_spent == 17_100


def test_another_process_knows_the_answer_too(world: World, serve: Serve, ask: Ask) -> None:
    first = ask(serve())

    assert ask(serve()).raw == first.raw
    assert len(world.upstream.requests) == 1


def test_another_body_with_the_same_key_is_refused(world: World, serve: Serve, ask: Ask) -> None:
    gateway = serve()
    ask(gateway)

    answer = ask(gateway, max_tokens=7)

    assert (answer.status, answer.error["code"]) == (422, "idempotency_key_reused")
    assert len(world.upstream.requests) == 1
    assert world.wallet.total_spent == 17_100
    assert world.event(verdict="error").reason_code == "idempotency_key_reused"


def test_a_hit_of_the_cache_uses_its_key_up(world: World, serve: Serve, ask: Ask) -> None:
    gateway = serve(cache={"enabled": True, "fabric_scope": "team"})
    ask(gateway, "first")
    eventually(lambda: not len(gateway.application.stages[-1]._flights), what="it is kept")  # type: ignore[attr-defined]
    hit = ask(gateway, "second")
    caches[ALIAS].clear()

    again, other = ask(gateway, "second"), ask(gateway, "second", temperature=0.5)

    assert hit.headers["x-keeptrusts-cache"] == "hit"
    assert (again.status, again.raw) == (200, hit.raw)
    assert again.headers["idempotent-replayed"] == "true"
    assert (other.status, other.error["code"]) == (422, "idempotency_key_reused")
    assert len(world.upstream.requests) == 1
    assert world.wallet.total_spent == 17_100


def test_while_one_runs_another_is_told_to_come_back(world: World, serve: Serve, ask: Ask) -> None:
    gate = Gate()
    world.upstream.behave(gate=gate)
    gateway = serve()
    with gateway.asking(world.key, headers={"idempotency-key": "k-1"}) as connection:
        eventually(gate.reached.is_set)
        answer = ask(gateway)
        gate.open()
        first = connection.getresponse().read()

    assert (answer.status, answer.error["code"]) == (409, "idempotency_key_in_use")
    assert answer.headers["retry-after"] == "2"
    assert ask(gateway).raw == first
    assert len(world.upstream.requests) == 1


def test_an_answer_the_provider_failed_to_give_frees_the_key(
    world: World, serve: Serve, ask: Ask
) -> None:
    world.upstream.behave(status=400, error={"error": {"message": "no"}})
    gateway = serve()
    assert ask(gateway).status == 400
    assert IdempotentCall.objects.count() == 0

    world.upstream.behave()

    assert ask(gateway).status == 200
    assert world.wallet.total_spent == 17_100


def test_a_stream_that_broke_off_frees_the_key(world: World, serve: Serve, ask: Ask) -> None:
    world.upstream.behave(cut_after=2)
    gateway = serve()
    assert b"[DONE]" not in ask(gateway, stream=True).raw

    world.upstream.behave()

    assert ask(gateway, stream=True).raw.endswith(b"[DONE]\n\n")


def test_a_refusal_frees_the_key(world: World, serve: Serve, ask: Ask) -> None:
    world.team = factories.make_team(world.organization, "poor", draws_on_parent=False)
    gateway = serve()
    assert ask(gateway).status == 402
    assert IdempotentCall.objects.count() == 0

    factories.fund(world.wallet, "5")

    assert ask(gateway).status == 200


def test_a_request_that_cannot_be_priced_frees_the_key(
    world: World, serve: Serve, ask: Ask
) -> None:
    gateway = serve()

    assert ask(gateway, model="nobody-knows").error["code"] == "model_not_priced"
    assert ask(gateway).status == 200


def test_a_free_model_is_repeated_as_well(world: World, serve: Serve, ask: Ask) -> None:
    gateway = serve(cost_tracking={"enabled": False})

    first, second = ask(gateway), ask(gateway)

    assert second.raw == first.raw
    assert len(world.upstream.requests) == 1
    assert Reservation.objects.count() == 0


def test_who_left_before_the_answer_finds_it_later(world: World, serve: Serve, ask: Ask) -> None:
    gate = Gate()
    world.upstream.behave(gate_after=(1, gate))
    gateway = serve()
    body = json.dumps(chat(stream=True)).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nidempotency-key: k-1\r\n"
        f"x-consumer-group: {world.key}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as connection:
        connection.sendall(head.encode() + body)
        seen = b""
        while b"Clouds" not in seen:
            seen += connection.recv(65_536)
    gate.open()
    world.event(verdict="allow")

    answer = ask(gateway, stream=True)

    assert answer.headers["idempotent-replayed"] == "true"
    assert _events(answer.raw)[-1] == b"data: [DONE]"
    assert len(world.upstream.requests) == 1
    assert world.wallet.total_spent == 17_100


def test_keys_of_different_credentials_are_different_keys(
    world: World, serve: Serve, ask: Ask
) -> None:
    _key, secret = factories.make_group_key(factories.make_consumer_group(world.team, "batch"))
    gateway = serve()

    ask(gateway)
    other = ask(gateway, credential=secret)

    assert "idempotent-replayed" not in other.headers
    assert len(world.upstream.requests) == 2
    assert world.wallet.total_spent == 2 * 17_100


def test_without_a_key_nothing_is_kept(world: World, serve: Serve) -> None:
    gateway = serve()

    gateway.chat(world.key)
    gateway.chat(world.key)

    assert len(world.upstream.requests) == 2
    assert IdempotentCall.objects.count() == 0


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\xe9", "tab\there"])
def test_a_header_that_is_no_key_is_refused(world: World, serve: Serve, ask: Ask, key: str) -> None:
    gateway = serve()

    answer = ask(gateway, key)

    assert (answer.status, answer.error["param"]) == (400, "Idempotency-Key")
    assert answer.error["code"] == "invalid_idempotency_key"
    assert world.upstream.requests == []


def test_the_longest_key_is_one(world: World, serve: Serve, ask: Ask) -> None:
    gateway = serve()

    assert ask(gateway, "~" * 255).status == 200
    assert ask(gateway, "~" * 255).headers["idempotent-replayed"] == "true"


def test_nobody_reads_a_kept_answer_in_the_database(world: World, serve: Serve, ask: Ask) -> None:
    ask(serve())

    row = IdempotentCall.objects.get()
    assert row.answer is not None
    assert b"Clouds" not in bytes(row.answer)
    assert b"choices" not in bytes(row.answer)
    assert "k-1" not in row.key


def test_an_answer_too_long_to_keep_is_lost_not_paid_twice(
    world: World, serve: Serve, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.idempotency.stage.MAX_ANSWER", 100)
    gateway = serve()
    assert ask(gateway).status == 200

    answer = ask(gateway)

    assert (answer.status, answer.error["code"]) == (409, "idempotency_result_lost")
    assert len(world.upstream.requests) == 1


def test_an_answer_that_cannot_be_decrypted_is_lost_not_paid_twice(
    world: World, serve: Serve, ask: Ask
) -> None:
    gateway = serve()
    ask(gateway)
    IdempotentCall.objects.update(answer=b"something else")

    assert ask(gateway).error["code"] == "idempotency_result_lost"
    assert world.wallet.total_spent == 17_100


def test_with_the_database_away_nothing_is_sent(
    world: World, serve: Serve, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = serve()

    def away(_wanted: object) -> None:
        raise OperationalError("away")

    with monkeypatch.context() as patch:
        patch.setattr("gateway.idempotency.claims.claim", away)
        answer = ask(gateway)

    assert (answer.status, answer.error["code"]) == (503, "ledger_unavailable")
    assert world.upstream.requests == []
    assert ask(gateway).status == 200


def test_a_kept_answer_still_needs_a_caller_who_may_ask(
    world: World, serve: Serve, ask: Ask
) -> None:
    gateway = serve()
    ask(gateway)

    gateway.write_policy(world.policy(group={"allowed_models": ["gpt-4o"]}))

    eventually(lambda: ask(gateway).status == 403, seconds=5)


def test_a_gateway_that_ends_leaves_no_key_behind(world: World, serve: Serve, ask: Ask) -> None:
    gateway = serve()

    ask(gateway)
    ask(gateway, "k-2")

    (stage,) = (one for one in gateway.application.stages if isinstance(one, Idempotency))
    eventually(lambda: len(stage._registry) == 0)
