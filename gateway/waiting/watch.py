"""Looking at places and wallets: a thread of its own with a connection of its own."""

import asyncio
import logging
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import UUID

from django.db import Error

from gateway import connections
from wallets import waiting
from wallets.models import Waiter

log = logging.getLogger(__name__)

OPTIONS: Mapping[str, str | int] = {"lock_timeout": 500, "statement_timeout": 2_000}


@dataclass(frozen=True, slots=True)
class Seen:
    """Places that are still there, each with whether it was dismissed; money by wallet."""

    places: Mapping[UUID, bool]
    available: Mapping[int, int]


class Watch:
    """Reads for one process. The thread starts with the first look."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(
            1, thread_name_prefix="waiting", initializer=connections.take, initargs=(OPTIONS,)
        )
        self._used = False

    async def look(
        self, places: Collection[UUID], wallets: Collection[int], *, renews: bool
    ) -> Seen | None:
        """How things stand; ``renews``: the places count for another while. None: not known now."""
        self._used = True
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, _look, places, wallets, renews)

    def rest(self) -> None:
        """Nobody waits: give the connection back until somebody does."""
        if self._used:
            self._used = False
            self._thread.submit(connections.drop)

    async def close(self) -> None:
        """End the thread."""
        self.rest()
        await asyncio.to_thread(self._thread.shutdown)


def _look(places: Collection[UUID], wallets: Collection[int], renews: bool) -> Seen | None:
    try:
        known = waiting.renew(places) if renews else _known(places)
        return Seen(known, waiting.standing(wallets))
    except Error as error:
        log.warning("those who wait cannot be looked at: %s", type(error).__name__)
        connections.drop()
        return None


def _known(places: Collection[UUID]) -> dict[UUID, bool]:
    return dict(Waiter.objects.filter(id__in=list(places)).values_list("id", "dismissed"))
