"""Times as people type them: `30m`, `2d`, or a date and time."""

import re
from datetime import UTC, datetime, timedelta

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
AGO = re.compile(rf"([0-9]{{1,5}})([{''.join(UNITS)}])")


def moment(text: str, *, now: datetime | None = None) -> str:
    """The time that was `text` ago (`30m`, `1h`, `2d`), in UTC; any other text stays as it is.

    `2026-04-01T00:00:00Z` carries its zone; the API reads a time without one as UTC.
    """
    found = AGO.fullmatch(text.strip())
    if found is None:
        return text
    number, unit = found.groups()
    ago = timedelta(**{UNITS[unit]: int(number)})
    return ((now or datetime.now(UTC)) - ago).isoformat(timespec="seconds").replace("+00:00", "Z")
