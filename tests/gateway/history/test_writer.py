"""The thread that writes texts: bounded, and never in anybody's way."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError, connections

from gateway import metrics
from gateway.history import texts, writing
from gateway.history.texts import Text, Texts
from gateway.history.writing import Writer
from gateway.models import HistoryText
from tests.gateway.conftest import Serve, World
from tests.gateway.history.conftest import FULL, kept
from tests.gateway.serving import eventually

pytestmark = [pytest.mark.django_db(transaction=True)]


def _dropped() -> float:
    return metrics.HISTORY_DROPPED._value.get()  # type: ignore[no-any-return]


def _row(name: str) -> HistoryText:
    now = datetime.now(UTC)
    return texts.row(
        Texts(Text(b"{}"), Text(b"{}")),
        event_id=name,
        organization_id=1,
        team_id=None,
        created_at=now,
        expires_at=now + timedelta(days=1),
    )


def test_a_database_that_refuses_texts_disturbs_no_answer(
    world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: object, **__: object) -> None:
        raise OperationalError("haiku")

    gateway, before = serve(history=FULL), _dropped()
    with monkeypatch.context() as broken:
        broken.setattr(HistoryText.objects, "bulk_create", away)
        assert gateway.chat(world.key).status == 200
        assert gateway.chat(world.key, stream=True).raw.endswith(b"[DONE]\n\n")
        eventually(lambda: _dropped() == before + 2)
    assert not HistoryText.objects.exists()
    assert gateway.chat(world.key).status == 200
    eventually(HistoryText.objects.exists)

    said = [record.getMessage() for record in caplog.records if record.name == writing.__name__]
    assert said == [
        "texts of requests are not kept: OperationalError",
        "texts of requests are kept again",
    ]


@pytest.mark.postgres_only
def test_answers_do_not_wait_for_texts(world: World, serve: Serve) -> None:
    gateway = serve(history=FULL)
    other = connections.create_connection("default")
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("LOCK TABLE gateway_historytext IN EXCLUSIVE MODE")
        assert gateway.chat(world.key).status == 200
        assert gateway.chat(world.key, stream=True).raw.endswith(b"[DONE]\n\n")
        assert not HistoryText.objects.exists()
    finally:
        other.rollback()
        other.close()
    eventually(HistoryText.objects.exists)


def test_more_than_there_is_room_for_is_dropped(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "MOST_WAITING", 2)
    busy, go, before = threading.Event(), threading.Event(), _dropped()

    def slow() -> HistoryText:
        busy.set()
        go.wait(20)
        return _row("first")

    writer = Writer()
    assert writer.offer(slow, 1)
    busy.wait(20)
    assert [writer.offer(lambda: _row("second"), 1), writer.offer(lambda: _row("third"), 1)] == [
        True,
        False,
    ]
    go.set()
    asyncio.run(writer.close())

    assert set(HistoryText.objects.values_list("pk", flat=True)) == {"first", "second"}
    assert _dropped() == before + 1


def test_texts_that_are_too_many_bytes_are_dropped(db: None) -> None:
    writer, before = Writer(), _dropped()

    assert writer.offer(lambda: _row("large"), writing.MOST_BYTES + 1) is False
    assert _dropped() == before + 1


def test_what_waits_is_written_at_the_end(world: World, serve: Serve) -> None:
    gateway = serve(history=FULL)
    gateway.chat(world.key)
    gateway.stop()

    assert HistoryText.objects.count() == 1
    kept(world.event().pk)


def test_a_row_that_cannot_be_made_takes_only_its_batch_with_it(db: None) -> None:
    def broken() -> HistoryText:
        raise ValueError

    writer = Writer()
    writer.offer(broken, 1)
    eventually(lambda: writer._waiting == 0)
    writer.offer(lambda: _row("next"), 1)
    asyncio.run(writer.close())

    assert HistoryText.objects.get().pk == "next"
