"""Times as people type them."""

from datetime import UTC, datetime

import pytest

from keeptrusts.kt.moments import moment
from tests.kt.conftest import Kt
from tests.kt.fake_api import FakeApi

NOW = datetime(2026, 4, 10, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("30m", "2026-04-10T11:30:00Z"),
        ("1h", "2026-04-10T11:00:00Z"),
        ("2d", "2026-04-08T12:00:00Z"),
        ("90s", "2026-04-10T11:58:30Z"),
        ("2026-04-01T00:00:00Z", "2026-04-01T00:00:00Z"),
        ("", ""),
    ],
)
def test_ago_or_as_it_is(typed: str, meant: str) -> None:
    assert moment(typed, now=NOW) == meant


def test_tail_asks_for_a_time(kt: Kt, api: FakeApi) -> None:
    kt("events", "tail", "--since", "30m")
    asked = api.requests[0]["path"]
    assert asked.startswith("/v1/events?since=20")
    assert "Z&limit=10" in asked


def test_what_is_no_time_is_answered_with_examples(kt: Kt, api: FakeApi) -> None:
    outcome = kt("events", "tail", "--since", "yesterday")
    assert (outcome.code, api.requests) == (1, [])
    assert outcome.err == (
        "kt: 'yesterday' is no time: give 30m, 2h or 7d, or 2026-04-01T00:00:00Z\n"
    )
