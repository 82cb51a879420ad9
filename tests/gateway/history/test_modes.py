"""What is kept of requests in each mode, through a running gateway."""

import json
from datetime import timedelta
from typing import Any

import pytest

from gateway.history import texts
from gateway.models import DecisionEvent, HistoryText
from tests import factories
from tests.gateway.conftest import Serve, World
from tests.gateway.history.conftest import FULL, METADATA, QUESTION, kept
from tests.gateway.serving import chat, eventually

pytestmark = [pytest.mark.engines, pytest.mark.django_db(transaction=True)]

ANSWER = "Clouds drift by"


def _everything_written() -> str:
    rows = DecisionEvent.objects.values()
    return json.dumps(list(rows), default=str)


def test_nothing_is_kept_where_nothing_is_said(world: World, serve: Serve) -> None:
    gateway = serve()
    gateway.chat(world.key)
    gateway.chat(world.key, stream=True)
    gateway.stop()

    assert all("history" not in event.details for event in DecisionEvent.objects.all())
    assert not HistoryText.objects.exists()


@pytest.mark.parametrize("streamed", [False, True])
def test_metadata_has_facts_and_no_text(world: World, serve: Serve, streamed: bool) -> None:
    gateway = serve(history=METADATA)
    tool = {"type": "function", "function": {"name": "look_up", "parameters": {}}}
    system = {"role": "system", "content": "Be brief."}
    body = chat(stream=streamed, tools=[tool])
    body["messages"].insert(0, system)
    gateway.request("POST", "/v1/chat/completions", body=body, key=world.key)
    gateway.stop()

    found = world.event().details["history"]
    assert found["request"] == {
        "messages": {"system": 1, "user": 1},
        "characters": len("Be brief.") + len(QUESTION),
        "tools": ["look_up"],
    }
    assert found["answer"] == {
        "id": found["answer"]["id"],
        "characters": len(ANSWER),
        "finish_reasons": ["stop"],
        "tools": [],
    }
    assert found["answer"]["id"].startswith("chatcmpl")
    assert not HistoryText.objects.exists()


@pytest.mark.parametrize("history", [None, METADATA, FULL])
def test_no_text_is_in_events_or_logs(
    world: World,
    serve: Serve,
    history: dict[str, Any] | None,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG")
    gateway = serve(**({"history": history} if history else {}))
    gateway.chat(world.key)
    gateway.chat(world.key, stream=True)
    gateway.stop()

    out, err = capfd.readouterr()
    for written in (_everything_written(), caplog.text, out, err):
        assert "haiku" not in written
        assert "Clouds" not in written
    assert DecisionEvent.objects.count() == 2


def test_full_keeps_a_plain_answer_exactly(world: World, serve: Serve) -> None:
    gateway = serve(history=FULL)
    raw = json.dumps(chat(user="ü\u0000", temperature=0.1)).encode()
    answer = gateway.request("POST", "/v1/chat/completions", raw=raw, key=world.key)

    found = kept(world.event().pk)
    assert (found.request.body, found.request.whole) == (raw, True)
    assert (found.answer.body, found.answer.whole) == (answer.raw, True)


def test_full_keeps_a_stream_as_the_plain_answer_it_adds_up_to(world: World, serve: Serve) -> None:
    gateway = serve(history=FULL)
    gateway.chat(world.key, stream=True)

    answer = kept(world.event().pk).answer.value()
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"]["content"] == ANSWER
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"]["completion_tokens"] == 25


def test_texts_expire_after_the_days_of_the_policy_file(world: World, serve: Serve) -> None:
    gateway = serve(history={"mode": "full", "keep_days": 7})
    gateway.chat(world.key)

    event = world.event()
    kept(event.pk)
    row = HistoryText.objects.get()
    assert (row.created_at, row.expires_at) == (
        event.created_at,
        event.created_at + timedelta(days=7),
    )
    assert (row.organization_id, row.team_id) == (world.organization.pk, world.team.pk)


def test_what_lies_in_the_table_is_encrypted(world: World, serve: Serve) -> None:
    gateway = serve(history=FULL)
    gateway.chat(world.key)

    kept(world.event().pk)
    sealed = bytes(HistoryText.objects.get().sealed)
    assert b"haiku" not in sealed
    assert b"Clouds" not in sealed


def test_a_refused_request_leaves_facts_only(world: World, serve: Serve) -> None:
    world.team = factories.make_team(world.organization, "poor", draws_on_parent=False)
    gateway = serve(history=FULL)
    assert gateway.chat(world.key).status == 402
    gateway.stop()

    event = world.event()
    assert event.details["history"]["request"]["messages"] == {"user": 1}
    assert "answer" not in event.details["history"]
    assert not HistoryText.objects.exists()


def test_a_failed_request_leaves_facts_only(world: World, serve: Serve) -> None:
    world.upstream.behave(status=400, error={"error": {"message": "no"}})
    gateway = serve(history=FULL)
    assert gateway.chat(world.key).status == 400
    gateway.stop()

    assert "answer" not in world.event().details["history"]
    assert not HistoryText.objects.exists()


def test_of_a_stream_that_broke_off_its_beginning_is_kept(world: World, serve: Serve) -> None:
    world.upstream.behave(cut_after=2)
    gateway = serve(history=FULL)
    gateway.chat(world.key, stream=True)

    answer = kept(world.event().pk).answer
    assert answer.whole is False
    assert answer.value() in ("Clouds", "Clouds drift")


def test_an_answer_of_the_cache_is_kept_for_its_own_event(world: World, serve: Serve) -> None:
    gateway = serve(history=FULL, cache={"enabled": True})
    gateway.chat(world.key, temperature=0)
    first = kept(world.event().pk)
    eventually(lambda: gateway.chat(world.key, temperature=0).headers.get("age"))
    gateway.stop()

    hit = DecisionEvent.objects.filter(verdict="cached").latest("created_at")
    assert kept(hit.pk).answer.value() == first.answer.value()
    assert hit.details["history"]["answer"]["characters"] == len(ANSWER)


def test_a_long_body_is_cut_and_says_so(
    world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "MAX_BYTES", 50_000)
    gateway = serve(history=FULL)
    raw = json.dumps(chat(messages=[{"role": "user", "content": "ab " * 30_000}])).encode()
    gateway.request("POST", "/v1/chat/completions", raw=raw, key=world.key)

    found = kept(world.event().pk)
    assert (found.request.body, found.request.whole) == (raw[:50_000], False)
    assert found.request.value() == raw[:50_000].decode()
    assert found.answer.whole is True
    assert world.event().details["history"]["request"]["characters"] == 90_000


def test_names_from_outside_cannot_harm_the_database(world: World, serve: Serve) -> None:
    gateway = serve(history=METADATA)
    bad = {"type": "function", "function": {"name": "a\u0000b" + "x" * 500, "parameters": {}}}
    assert gateway.chat(world.key, tools=[bad]).status == 200

    assert world.event().details["history"]["request"]["tools"] == ["a?b" + "x" * 61]
