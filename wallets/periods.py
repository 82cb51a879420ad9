"""Calendar periods in an organisation's time zone, daylight-saving included."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo


def start(period: str, at: datetime, zone: str) -> datetime:
    """When the ``hour`` | ``day`` | ``month`` that holds ``at`` began, as an aware UTC time."""
    clock = local(at, zone)
    if period == "hour":
        # Truncated in UTC offsets of the moment, so the repeated hour in autumn is two hours.
        into = timedelta(minutes=clock.minute, seconds=clock.second, microseconds=clock.microsecond)
        return at.astimezone(UTC) - into
    day = clock.date() if period == "day" else clock.date().replace(day=1)
    return _midnight(day, zone)


def end(period: str, at: datetime, zone: str) -> datetime:
    """When that period ends: the first moment of the next one, as an aware UTC time."""
    begun = start(period, at, zone)
    if period == "hour":
        return begun + timedelta(hours=1)
    day = local(begun, zone).date()
    return _midnight(day + timedelta(days=1) if period == "day" else next_month(day), zone)


def local(moment: datetime, zone: str) -> datetime:
    """``moment`` on the organisation's clock."""
    return moment.astimezone(ZoneInfo(zone))


def next_month(day: date) -> date:
    """The first day of the month after ``day``."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def _midnight(day: date, zone: str) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
