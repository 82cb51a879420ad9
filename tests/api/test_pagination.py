"""Keyset pages: nothing twice, nothing missed, no COUNT."""

import base64
import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests import factories
from tests.api.client import Answer, Caller
from tests.api.conftest import World

pytestmark = pytest.mark.engines


def _follow(admin: Caller, link: str) -> Answer:
    return admin.call("GET", link.partition("testserver")[2])


@pytest.fixture
def twelve(world: World) -> list[str]:
    """Events of acme, newest first; all of one moment, so that only the id tells them apart."""
    now = timezone.now()
    events = [factories.make_event(world.acme, created_at=now) for _ in range(12)]
    return [event.pk for event in sorted(events, key=lambda event: event.pk, reverse=True)]


def _ids(answer: Answer) -> list[str]:
    return [row["id"] for row in answer.body["results"]]


def test_pages_forward_meet_every_row_once(admin: Caller, twelve: list[str]) -> None:
    page = admin.get("events", limit=5)
    seen = _ids(page)
    while page.body["next"]:
        page = _follow(admin, page.body["next"])
        seen += _ids(page)
    assert seen == twelve


def test_pages_backward_come_home(admin: Caller, twelve: list[str]) -> None:
    first = admin.get("events", limit=5)
    second = _follow(admin, first.body["next"])
    back = _follow(admin, second.body["previous"])
    assert _ids(back) == twelve[:5]
    assert back.body["previous"] is None
    assert _ids(_follow(admin, back.body["next"])) == twelve[5:10]


def test_a_row_that_comes_in_between_moves_no_page(
    world: World, admin: Caller, twelve: list[str]
) -> None:
    first = admin.get("events", limit=5)
    factories.make_event(world.acme)
    assert _ids(_follow(admin, first.body["next"])) == twelve[5:10]


def test_a_single_page_has_no_links(world: World, admin: Caller) -> None:
    page = admin.get("teams")
    assert (page.body["next"], page.body["previous"]) == (None, None)


def test_links_keep_the_filters(admin: Caller, twelve: list[str]) -> None:
    link = admin.get("events", limit=5, verdict="allow").body["next"]
    assert "verdict=allow" in link
    assert "limit=5" in link


def test_two_columns_of_order_page_too(world: World, admin: Caller) -> None:
    page = admin.get("wallets", limit=1)
    names = [row["name"] for row in page.body["results"]]
    while page.body["next"]:
        page = _follow(admin, page.body["next"])
        names += [row["name"] for row in page.body["results"]]
    assert names == ["Acme", "Engineering", "Marketing", "mia (Engineering)"]


def test_no_page_counts_rows(admin: Caller, twelve: list[str]) -> None:
    with CaptureQueriesContext(connection) as queries:
        admin.get("events", limit=5)
    assert not [query for query in queries if "COUNT(" in query["sql"].upper()]


@pytest.mark.parametrize("limit", ["0", "-1", "many", "1.5", "٣", "9" * 30])
def test_a_wrong_limit_is_named(admin: Caller, limit: str) -> None:
    answer = admin.get("events", limit=limit)
    assert (answer.status, answer.error["code"]) == (422, "invalid_limit")


def _cursor(*values: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "nonsense",
        "%00",
        _cursor("f"),
        _cursor("x", "2026-01-01T00:00:00+00:00", "a"),
        _cursor("f", "yesterday", "a"),
        _cursor("f", "2026-01-01T00:00:00", "a"),
        _cursor("f", "2026-01-01T00:00:00+00:00", "a\u0000"),
        _cursor("f", 5, {}),
        _cursor("f", "0001-01-01T00:00:00+14:00", "a"),
        "A" * 5000,
    ],
)
def test_a_cursor_that_is_not_ours_is_refused(admin: Caller, cursor: str) -> None:
    assert admin.get("events", cursor=cursor).status == 422


def test_a_cursor_with_an_absurd_number_is_refused(world: World, admin: Caller) -> None:
    answer = admin.get("limits", cursor=_cursor("f", "9" * 40))
    assert (answer.status, answer.error["code"]) == (422, "invalid_cursor")
