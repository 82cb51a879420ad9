"""New events as they arrive: what `kt events tail --follow` prints.

An event carries the time at which its request came in, and appears when the request has ended. So a
long stream appears behind events that are newer than it: each look goes back far enough for that.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keeptrusts.kt.client import Client

POLL_SECONDS = 1.0
LONGEST_REQUEST = timedelta(minutes=15)
PAGE = 200
MOST = 1000  # events per look: busier than that, a late one may be passed over

Event = dict[str, Any]


class Known:
    """The events that have been seen, from the moment this is made."""

    def __init__(self, client: "Client", *, verdict: str) -> None:
        self._client, self._verdict = client, verdict
        self._seen = {event["id"]: event["created_at"] for event in self._recent()}

    def noting(self, events: list[Event]) -> list[Event]:
        """The same events; they count as seen."""
        self._seen |= {event["id"]: event["created_at"] for event in events}
        return events

    def arriving(self) -> Iterator[Event]:
        """Every event that appears from now on, oldest first; never ends."""
        while True:
            time.sleep(POLL_SECONDS)
            fresh = [event for event in self._recent() if event["id"] not in self._seen]
            yield from self.noting(fresh[::-1])
            self._forget()

    def _recent(self) -> list[Event]:
        query = {"since": _horizon().isoformat(), "verdict": self._verdict, "limit": PAGE}
        return list(islice(self._client.pages("/v1/events", query), MOST))

    def _forget(self) -> None:
        """Drop what is too old to be asked for again."""
        oldest = _horizon() - LONGEST_REQUEST
        self._seen = {
            id_: at for id_, at in self._seen.items() if datetime.fromisoformat(at) > oldest
        }


def _horizon() -> datetime:
    return datetime.now(UTC) - LONGEST_REQUEST
