"""`kt events tail --follow` prints every event once, also one that appears behind newer ones."""

import json
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.kt import fake_api
from tests.kt.processes import environment, running
from tests.kt.test_api_commands import event, page


def aged(number: int, seconds: int) -> dict[str, Any]:
    """An event whose request came in `seconds` ago."""
    at = datetime.now(UTC) - timedelta(seconds=seconds)
    return event(number, created_at=at.isoformat())


class Growing(dict[tuple[str, str], tuple[int, str]]):
    """Answers every list of events with those there are, whatever the query."""

    def __init__(self, *events: dict[str, Any]) -> None:
        super().__init__()
        self.events = list(events)

    def get(self, asked: Any, default: Any = None) -> Any:
        assert urlsplit(asked[1]).path == "/v1/events"
        return 200, page(*sorted(self.events, key=lambda e: str(e["created_at"]), reverse=True))


def test_prints_each_event_once_and_late_ones_too(tmp_path: Path) -> None:
    with fake_api.serving() as api:
        answers = Growing(aged(1, 60), aged(2, 30))
        api.answers = answers
        env = environment(KEEPTRUSTS_API_URL=api.url, KEEPTRUSTS_API_TOKEN="kt_live_x")
        command = ("events", "tail", "--last", "5", "--follow", "--json")
        with running(
            sys.executable, "-m", "keeptrusts.kt", *command, cwd=tmp_path, env=env
        ) as tail:
            tail.until_says("req_2")
            answers.events.append(aged(3, 0))
            tail.until_says("req_3")
            answers.events.append(aged(4, 45))
            tail.until_says("req_4")
            assert tail.stop(signal.SIGINT) == 130
            ids = [json.loads(line)["id"] for line in tail.text().splitlines()]
    assert ids == ["req_1", "req_2", "req_3", "req_4"]
