"""The response cache as a stage of a request: a hit, a place behind another call, or the call."""

import asyncio
import dataclasses

from gateway.cache import keys
from gateway.cache.flights import AGAIN, ALONE, Flight, Flights, Landed
from gateway.cache.sealing import Seal
from gateway.cache.shelf import Shelf
from gateway.cache.store import Kept, Place, Store
from gateway.policy.schema import Cache
from gateway.pricing import Usage, cost_nanos
from gateway.proxy import bodies
from gateway.proxy.call import Call, Found
from gateway.proxy.recording import Recorded
from gateway.snapshot import Caller

HIT, MISS = "hit", "miss"
BYPASS_HEADER = b"x-keeptrusts-cache"
CLOSE_SECONDS = 2.0


class ResponseCache:
    """Answers requests whose like was answered before; see ``gateway.proxy.stages.Stage``."""

    def __init__(self) -> None:
        self._shelf = Shelf()
        self._flights = Flights(Store(self._shelf, Seal()))

    async def start(self) -> None:
        """Open the cache."""
        self._shelf.start()

    async def close(self) -> None:
        """Keep what is being kept, and end."""
        await self._flights.close(CLOSE_SECONDS)
        await self._shelf.close()

    async def before(self, call: Call) -> Found | None:
        """An answer that is kept, or that an equal request gets meanwhile; else None, and this
        request's own answer is kept.
        """
        settings = call.snapshot.policy.document.cache
        if not settings.enabled or not call.route.cacheable or bypasses(call):
            return None
        if keys.obstacle(call.route.name, call.request, sampled=settings.sampled) is not None:
            return None
        place = await bodies.looked_into(call.body, place_of, call, settings)
        call.event.cache = MISS
        kept = await self._kept(call, place)
        return hit(call, kept) if kept is not None else None

    async def _kept(self, call: Call, place: Place) -> Kept | None:
        deadline = asyncio.get_running_loop().time() + _patience(call)
        while True:
            flight, leads = self._flights.join(place)
            if leads:
                return await self._lead(call, flight, deadline)
            landed = await flight.wait(deadline)
            if landed.kept is not None:
                return landed.kept
            if not landed.again or call.stopping:
                call.record_for(_Alone(self._flights, place))
                return None

    async def _lead(self, call: Call, flight: Flight, deadline: float) -> Kept | None:
        try:
            kept = await flight.look(deadline)
        except BaseException:
            flight.land(AGAIN)
            raise
        if kept is None:
            leader = _Leader(self._flights, flight)
            call.record_for(leader)
            call.at_wait.append(leader.waits)
        else:
            flight.land(Landed(kept))
        return kept


class _Leader:
    """Keeps the answer others wait for, or tells them that there is none."""

    def __init__(self, flights: Flights, flight: Flight) -> None:
        self._flights = flights
        self._flight = flight

    def settling(self, call: Call, recorded: Recorded) -> None:
        """Nothing rides on the settle."""

    def settled(self, call: Call, recorded: Recorded) -> None:
        """Off the client's path."""
        self._flights.work(asyncio.create_task(self._flight.arrive(call.route, recorded)))

    def waits(self, call: Call) -> None:
        """Its wallet has nothing now: the next one leads, whose wallet may have."""
        self._flight.land(AGAIN)

    def dropped(self, call: Call) -> None:
        """What never went out says nothing about the others' chances."""
        self._flight.land(ALONE if call.sent else AGAIN)


class _Alone:
    """Keeps the answer of a request that waited in vain."""

    def __init__(self, flights: Flights, place: Place) -> None:
        self._flights = flights
        self._place = place

    def settling(self, call: Call, recorded: Recorded) -> None:
        """Nothing rides on the settle."""

    def settled(self, call: Call, recorded: Recorded) -> None:
        """Off the client's path."""
        self._flights.work(asyncio.create_task(self._keep(call, recorded)))

    async def _keep(self, call: Call, recorded: Recorded) -> None:
        await self._flights.store.keep(self._place, call.route, recorded)

    def dropped(self, call: Call) -> None:
        """Nobody waits."""


def bypasses(call: Call) -> bool:
    """Whether this request wants nothing to do with the cache."""
    headers = call.exchange.headers
    if headers.get(BYPASS_HEADER, b"").strip().lower() == b"bypass":
        return True
    words = headers.get(b"cache-control", b"").lower().split(b",")
    return any(word.strip() in (b"no-cache", b"no-store") for word in words)


def place_of(call: Call, settings: Cache) -> Place:
    """Where the answer to a request is kept."""
    shared = call.route.replay is not None
    form = "any" if shared else ("stream" if call.streamed else "plain")
    snapshot = call.snapshot
    return Place(
        organization=snapshot.organization.public_id,
        generation=snapshot.cache_generation,
        seconds=settings.ttl_seconds,
        key=keys.key(
            owner=(snapshot.organization.public_id, *scope(call.caller)),
            route=call.route.name,
            model=call.event.model,
            form=form,
            bound=snapshot.policy.document.cost_tracking.default_max_output_tokens,
            headers=call.exchange.headers,
            request=call.request,
        ),
    )


def scope(caller: Caller) -> tuple[str, ...]:
    """With whom a caller shares answers: the organisation, the team, or nobody but itself."""
    fabric = caller.settings.fabric_scope
    if fabric == "org":
        return ("org",)
    team = str(caller.team.id)
    if fabric == "team":
        return ("team", team)
    if caller.user_id is not None:
        return ("user", team, str(caller.user_id))
    return ("group", team, str(caller.group_id or ""), caller.group_name, str(caller.key_id or ""))


def hit(call: Call, kept: Kept) -> Found:
    """The answer, with what it would have cost."""
    return Found(
        recorded=kept.recorded,
        cache=HIT,
        avoided_cost=avoided_cost(call, kept.recorded),
        headers=[(b"age", b"%d" % kept.age)],
    )


def avoided_cost(call: Call, recorded: Recorded) -> int:
    """Nano-dollars of the answer's usage at today's price for this caller; 0 without a price."""
    if not call.snapshot.policy.document.cost_tracking.enabled or not call.targets:
        return 0
    priced = call.snapshot.prices.rates(
        call.caller.organization_id, call.targets[0].provider, call.event.model, call.now
    )
    return cost_nanos(_usage(recorded), priced.rates) if priced is not None else 0


def _usage(recorded: Recorded) -> Usage:
    known = {field.name for field in dataclasses.fields(Usage)}
    return Usage(**{name: count for name, count in recorded.usage.items() if name in known})


def _patience(call: Call) -> float:
    """How long the call of another may take: as long as this one's own."""
    return max((target.timeouts.total for target in call.targets), default=0.0)
