"""Calendar periods on the organisation's clock."""

from datetime import UTC, datetime

import pytest

from wallets import periods


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("period", "at", "zone", "starts", "ends"),
    [
        ("day", "2026-11-21T23:30", "UTC", "2026-11-21T00:00", "2026-11-22T00:00"),
        ("day", "2026-11-21T23:30", "Europe/Berlin", "2026-11-21T23:00", "2026-11-22T23:00"),
        ("month", "2026-12-31T23:30", "Europe/Berlin", "2026-12-31T23:00", "2027-01-31T23:00"),
        ("month", "2026-02-10T12:00", "UTC", "2026-02-01T00:00", "2026-03-01T00:00"),
        ("hour", "2026-11-21T10:59", "Asia/Kolkata", "2026-11-21T10:30", "2026-11-21T11:30"),
    ],
)
def test_period_begins_and_ends_on_the_local_clock(
    period: str, at: str, zone: str, starts: str, ends: str
) -> None:
    assert periods.start(period, utc(at), zone) == utc(starts)
    assert periods.end(period, utc(at), zone) == utc(ends)


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29T12:00", 23), ("2026-10-25T12:00", 25), ("2026-06-01T12:00", 24)]
)
def test_day_of_a_clock_change_has_its_own_length(day: str, hours: int) -> None:
    zone = "Europe/Berlin"
    length = periods.end("day", utc(day), zone) - periods.start("day", utc(day), zone)
    assert length.total_seconds() == hours * 3600


def test_the_repeated_hour_in_autumn_is_two_hours() -> None:
    first = periods.start("hour", utc("2026-10-25T00:30"), "Europe/Berlin")
    second = periods.start("hour", utc("2026-10-25T01:30"), "Europe/Berlin")
    assert (first, second) == (utc("2026-10-25T00:00"), utc("2026-10-25T01:00"))
