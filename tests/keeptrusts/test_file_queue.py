"""The embedded queue shows whole messages only."""

import threading
from pathlib import Path

import pytest
from kombu import Connection, Queue

from keeptrusts import celery
from keeptrusts.lib import file_queue

MESSAGES = 300


@pytest.fixture
def connection(tmp_path: Path) -> Connection:
    for folder in ("queue", "control"):
        (tmp_path / folder).mkdir()
    return Connection(
        "files://",
        transport_options={
            "data_folder_in": str(tmp_path / "queue"),
            "data_folder_out": str(tmp_path / "queue"),
            "control_folder": str(tmp_path / "control"),
        },
    )


def test_the_application_uses_it() -> None:
    with celery.app.connection_for_write() as connection:
        assert isinstance(connection.transport, file_queue.Transport)


def test_a_message_has_its_name_only_when_it_is_complete(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[set[str]] = []
    replace = file_queue.os.replace

    def looked_at(source: Path, target: Path) -> None:
        seen.append({path.suffix for path in (tmp_path / "queue").iterdir()})
        replace(source, target)

    monkeypatch.setattr(file_queue.os, "replace", looked_at)
    # A queue of its own: the transport remembers bindings for the whole process.
    with connection.SimpleQueue("whole-jobs", no_ack=True) as queue:
        queue.put({"text": "whole"})
    assert seen == [{".part"}]
    assert [path.suffix for path in (tmp_path / "queue").iterdir()] == [".msg"]


def test_a_reader_beside_a_writer_gets_every_message_whole(connection: Connection) -> None:
    jobs = Queue("jobs")

    def write() -> None:
        with connection.clone() as own, own.Producer() as producer:
            for number in range(MESSAGES):
                producer.publish({"n": number}, routing_key="jobs", declare=[jobs])

    writer = threading.Thread(target=write)
    with connection.SimpleQueue("jobs", no_ack=True) as queue:
        writer.start()
        read = {queue.get(timeout=30).payload["n"] for _ in range(MESSAGES)}
    writer.join()
    assert read == set(range(MESSAGES))
