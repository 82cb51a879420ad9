"""Equal requests under way at the same time: one goes to the provider, the others wait for it.

In a process they share a future. Between processes the first one holds a claim in the cache, which
it renews while it lives; the others look again and again for its answer, or for the claim to end.
Money depends on none of this: at worst two processes ask the provider, and each pays for itself.
"""

import asyncio
import contextlib
import secrets
from dataclasses import dataclass

from gateway.cache.store import Kept, Place, Store
from gateway.proxy.recording import Recorded
from gateway.proxy.route import Route

LEASE_SECONDS = 10
RENEW_SECONDS = 3.0
FIRST_LOOK, LONGEST_LOOK = 0.05, 0.25


@dataclass(frozen=True, slots=True)
class Landed:
    """How a flight ended. Without an answer, ``again``: it never reached the provider, so that
    another may lead; else everybody goes alone.
    """

    kept: Kept | None = None
    again: bool = False


AGAIN, ALONE = Landed(again=True), Landed()


class Flight:
    """One call that others wait for."""

    __slots__ = ("_claim", "_ended", "_flights", "_landed", "_renewal", "place")

    def __init__(self, flights: "Flights", place: Place) -> None:
        self.place = place
        self._flights = flights
        self._landed: asyncio.Future[Landed] = asyncio.get_running_loop().create_future()
        self._ended = False
        self._claim: bytes | None = None
        self._renewal: asyncio.Task[None] | None = None

    # The leader's side

    async def look(self, deadline: float) -> Kept | None:
        """The answer that is kept already, or that another process gets before ``deadline`` (of
        the event loop's clock); None: it is for this call to get it.
        """
        store, pause = self._flights.store, FIRST_LOOK
        while True:
            kept, reachable = await store.find(self.place)
            if kept is not None or not reachable or self._claim is not None:
                return kept
            if not await self._begin():
                await asyncio.sleep(pause)
                pause = min(LONGEST_LOOK, pause * 2)
            if asyncio.get_running_loop().time() >= deadline:
                return None

    async def _begin(self) -> bool:
        """Claim the call for this process; without a cache to claim it in, it is ours."""
        claim = secrets.token_bytes(16)
        name = self._flights.claim_name(self.place)
        claimed = await self._flights.store.shelf.claim(name, claim, LEASE_SECONDS)
        if claimed:
            self._claim = claim
            self._renewal = asyncio.create_task(self._renew(name, claim))
        return claimed is not False

    async def _renew(self, name: str, claim: bytes) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            await self._flights.store.shelf.renew(name, claim, LEASE_SECONDS)

    async def arrive(self, route: Route, recorded: Recorded) -> None:
        """The answer is paid for: keep it and tell those who wait."""
        shared = False
        try:
            shared = await self._flights.store.keep(self.place, route, recorded)
        finally:
            self.land(Landed(Kept(recorded, 0)) if shared else ALONE)

    def land(self, landed: Landed) -> None:
        """Tell those who wait, once, and make room for the next flight."""
        if self._ended:
            return
        self._ended = True
        if self._renewal is None:
            self._tell(landed)
            self._flights.forget(self)
            return
        self._renewal.cancel()
        if not landed.again:
            self._tell(landed)
        self._flights.work(asyncio.create_task(self._give_up(landed)))

    async def _give_up(self, landed: Landed) -> None:
        """The claim goes first: whoever leads next in this process wants it."""
        assert self._claim is not None
        try:
            name = self._flights.claim_name(self.place)
            await self._flights.store.shelf.release(name, self._claim)
        finally:
            self._tell(landed)
            self._flights.forget(self)

    def _tell(self, landed: Landed) -> None:
        if not self._landed.done():
            self._landed.set_result(landed)

    # The others' side

    async def wait(self, deadline: float) -> Landed:
        """How it ends; after ``deadline`` everybody goes alone."""
        left = deadline - asyncio.get_running_loop().time()
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(asyncio.shield(self._landed), max(0.0, left))
        return ALONE


class Flights:
    """The flights of a process, by place."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._flying: dict[Place, Flight] = {}
        self._work: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._flying)

    def join(self, place: Place) -> tuple[Flight, bool]:
        """The flight to a place, and whether the caller leads it."""
        flight = self._flying.get(place)
        if flight is not None:
            return flight, False
        flight = self._flying[place] = Flight(self, place)
        return flight, True

    def forget(self, flight: Flight) -> None:
        """It has landed."""
        self._flying.pop(flight.place, None)

    def claim_name(self, place: Place) -> str:
        """Where the process that leads to a place says so."""
        return f"{self.store.name(place)}:{place.generation}:flight"

    def work(self, task: "asyncio.Task[None]") -> None:
        """Something that may go on when its request has ended, and is waited for at the end."""
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def close(self, patience: float) -> None:
        """Wait for what is being kept or released."""
        if self._work:
            await asyncio.wait(self._work, timeout=patience)
