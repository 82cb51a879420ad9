"""Times as people type them: `30m`, `2d`, or a date and time."""

import re
from datetime import UTC, datetime, timedelta

from keeptrusts.kt.errors import Failure

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
AGO = re.compile(rf"([0-9]{{1,5}})([{''.join(UNITS)}])")


def moment(text: str, *, now: datetime | None = None) -> str:
    """The time that was `text` ago (`30m`, `1h`, `2d`), in UTC; a date and time stays as it is.

    `2026-04-01T00:00:00Z` carries its zone; the API reads a time without one as UTC. Raises Failure
    for what is no time.
    """
    found = AGO.fullmatch(text.strip())
    if found is None:
        return _stated(text)
    number, unit = found.groups()
    ago = timedelta(**{UNITS[unit]: int(number)})
    return ((now or datetime.now(UTC)) - ago).isoformat(timespec="seconds").replace("+00:00", "Z")


def _stated(text: str) -> str:
    try:
        if text:
            datetime.fromisoformat(text.strip())
    except ValueError:
        raise Failure(f"'{text}' is no time: give 30m, 2h or 7d, or 2026-04-01T00:00:00Z") from None
    return text
