"""`python -m bench.soak [--short] [--seed N]`: much traffic, faults and a kill; then the books.

Everything runs on 127.0.0.1 on a PostgreSQL of its own and is gone in the end. Exits with 1 when
anything does not agree; the seed it prints draws the same requests again.
"""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench import database, machine
from bench.gateway.processes import Child, running
from bench.gateway.sites import KEY, SETTINGS
from keeptrusts.supervisor import ports

AT_ONCE = 64
END_SECONDS = 60.0
"""For what clients have left behind to be read to its end and written."""
FUZZ = ("tests/gateway/test_fuzz_requests.py", "tests/gateway/test_fuzz_answers.py")


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    streams: int
    mixed: int
    killed: int
    fuzz: bool
    most_seconds: int


LONG, SHORT = Size(500, 10_000, 1_000, True, 900), Size(100, 600, 200, False, 180)


@dataclass(frozen=True)
class Books:
    """What the ledger says at one moment; nano-dollars."""

    events: int
    charged: int
    holds: int


class Disagreement(Exception):
    """Two who must agree do not."""


def main() -> int:
    """Run all of it; 1 where something does not agree."""
    parser = argparse.ArgumentParser(prog="make soak ARGS=...", description=__doc__)
    parser.add_argument(
        "--short", action="store_true", help="half a minute instead of three or four"
    )
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    size = SHORT if arguments.short else LONG
    signal.signal(signal.SIGALRM, lambda *_: sys.exit(f"soak: not done in {size.most_seconds} s"))
    signal.alarm(size.most_seconds)
    print(machine.description().partition("\n")[2])
    print(f"seed: {arguments.seed}", flush=True)
    try:
        with _site() as site:
            _all(site, size, arguments.seed)
        if size.fuzz:
            _fuzz()
    except (Disagreement, database.NotDurable) as error:
        print(f"soak: {error} (seed {arguments.seed})", file=sys.stderr)
        return 1
    return 0


@contextmanager
def _site() -> Iterator["Site"]:
    """An empty database with an organisation in it, and an upstream."""
    with ExitStack() as stack:
        url = stack.enter_context(database.scratch(stack.enter_context(database.server())))
        place = stack.enter_context(tempfile.TemporaryDirectory(prefix="keeptrusts-soak-"))
        os.environ |= SETTINGS | {"DATABASE_URL": url, "KEEPTRUSTS_DATA": place}
        import django

        django.setup()
        from bench import world
        from tests.fakes.hostile import Hostile
        from tests.fakes.metered import Meter

        world.build(teams=1)
        meter = Meter()
        upstream = stack.enter_context(Hostile(meter.plan))
        try:
            yield Site(Path(place), upstream, meter)
        finally:
            from django.db import connections

            connections.close_all()


class Site:
    """What a run stands on."""

    def __init__(self, place: Path, upstream: Any, meter: Any) -> None:
        self.place = place
        self.upstream = upstream
        self.meter = meter

    @contextmanager
    def gateway(self) -> Iterator[tuple[Child, str]]:
        """A gateway process and its address."""
        from tests.gateway.traffic import targets

        port = ports.unused()
        policy = self.place / f"policy-{port}.yaml"
        group = {"name": "soak", "api_key": KEY, "wallet_team_id": "team_team-0"}
        # JSON is YAML.
        policy.write_text(
            json.dumps(
                {
                    "version": "1",
                    "organization": "bench",
                    "providers": {"targets": targets(self.upstream.url)},
                    "consumer_groups": [group],
                    "cache": {"enabled": True},
                }
            )
        )
        log = self.place / f"gateway-{port}.log"
        command = ("keeptrusts.kt", "gateway", "run", "--policy-config", str(policy))
        options = ("--port", str(port), "--data", str(self.place))
        with (
            log.open("wb") as errors,
            running(*command, *options, stderr=errors, LOG_LEVEL="WARNING") as child,
        ):
            try:
                child.wait_for("Gateway ready")
                yield child, f"http://127.0.0.1:{port}"
            except BaseException:
                print(log.read_text()[-2000:])
                raise

    def books(self) -> Books:
        """What the database says now."""
        from gateway.models import DecisionEvent
        from tests.gateway.fuzzing import charged
        from wallets.models import Reservation

        held = Reservation.objects.filter(state="held").count()
        return Books(DecisionEvent.objects.count(), charged(), held)

    def ended(self, events: int) -> Books:
        """The books once there are so many events and no hold is open."""
        deadline = time.monotonic() + END_SECONDS
        while (found := self.books()).events < events or found.holds:
            if time.monotonic() > deadline:
                raise Disagreement(f"{events} events were to come and no hold to stay: {found}")
            time.sleep(0.1)
        return found


def _all(site: Site, size: Size, seed: int) -> None:
    with site.gateway() as (_, url):
        _phase("streams, half of their clients leave", lambda: _streams(site, url, size, seed))
        _phase("all kinds, 5 % faults", lambda: _mixed(site, url, size, seed))
        _phase("the same 100 times at once", lambda: _same(site, url, seed))
    _phase("two gateways, one is killed", lambda: _killed(site, size, seed))
    from wallets import verification

    report = verification.verify()
    print(f"kt ledger verify: {report}", flush=True)
    _agree("the ledger's proof", report.problems, [])


def _phase(name: str, run: Callable[[], str]) -> None:
    began = time.monotonic()
    said = run()
    print(f"{name}: {said} ({time.monotonic() - began:.1f} s)", flush=True)


def _traffic(urls: list[str], seed: int, at_once: int = AT_ONCE) -> Any:
    from tests.gateway.traffic import Traffic

    return Traffic(urls, KEY, seed=seed, at_once=at_once)


def _streams(site: Site, url: str, size: Size, seed: int) -> str:
    from tests.gateway.traffic import paced

    before, meter = site.books(), site.meter
    site.upstream.plan = lambda asked: paced(meter.plan(asked))
    tally = asyncio.run(_traffic([url], seed).streams(size.streams))
    site.upstream.plan = meter.plan
    after = site.ended(before.events + size.streams)
    charged = after.charged - before.charged
    _agree("events and requests", after.events - before.events, tally.requests)
    _agree("charges and what the provider reported", charged, meter.total)
    return f"{size.streams} asked, {tally.left} left, {charged:,} nano-dollars charged"


def _mixed(site: Site, url: str, size: Size, seed: int) -> str:
    from tests.gateway.traffic import Faults

    before = site.books()
    site.meter.fault = Faults(seed)
    tally = asyncio.run(_traffic([url], seed + 1).mixed(size.mixed))
    site.meter.fault = lambda asked: None
    after = site.ended(before.events + size.mixed)
    charged = after.charged - before.charged
    _agree("broken connections", tally.lost, 0)
    _agree("events and requests", after.events - before.events, tally.requests)
    _agree("charges and what clients were told", charged, tally.cost)
    statuses = ", ".join(f"{count} × {status}" for status, count in sorted(tally.statuses.items()))
    return f"{statuses}; {site.meter.faults} faults, {charged:,} nano-dollars charged"


def _same(site: Site, url: str, seed: int) -> str:
    before, asked = site.books(), len(site.upstream.requests)
    tally = asyncio.run(_traffic([url], seed + 2, at_once=100).same(100))
    after = site.ended(before.events + 100)
    _agree("answers", dict(tally.statuses), {200: 100})
    _agree("requests to the provider", len(site.upstream.requests) - asked, 1)
    _agree("charges and what clients were told", after.charged - before.charged, tally.cost)
    return f"1 call, 1 charge of {tally.cost:,} nano-dollars"


def _killed(site: Site, size: Size, seed: int) -> str:
    """What was acknowledged is in the books, whoever died; what was not is swept."""
    from gateway.models import DecisionEvent
    from wallets import sweeper

    meter, before = site.meter, site.books()
    total = meter.total
    with site.gateway() as (victim, first), site.gateway() as (_, second):
        tally = asyncio.run(_with_a_death(site, victim, [first, second], size, seed + 3))
        open_holds = site.books().holds
    report = sweeper.sweep(older_than=timedelta(0))
    after = site.ended(0)
    rows = DecisionEvent.objects.filter(pk__in=tally.paid).values_list("id", "cost")
    _agree("acknowledged costs", dict(rows), tally.paid)
    charged, reported = after.charged - before.charged, meter.total - total
    if not tally.cost <= charged <= reported:
        raise Disagreement(f"{tally.cost} acknowledged, {charged} charged, {reported} reported")
    if not tally.lost:
        raise Disagreement("nobody noticed the death")
    return (
        f"{len(tally.paid)} acknowledged, {tally.lost} lost, {open_holds} holds left open, "
        f"{report.closed} swept, {charged:,} nano-dollars charged"
    )


async def _with_a_death(site: Site, victim: Child, urls: list[str], size: Size, seed: int) -> Any:
    """Traffic on both; one is killed when a third of it has reached the provider."""
    begun = len(site.upstream.requests)

    def kill() -> None:
        while len(site.upstream.requests) - begun < size.killed // 3:
            time.sleep(0.005)
        os.killpg(victim.pid, signal.SIGKILL)

    traffic = _traffic(urls, seed)
    tally, _ = await asyncio.gather(traffic.mixed(size.killed), asyncio.to_thread(kill))
    return tally


def _fuzz() -> None:
    """The fuzz tests with more examples than the suite tries."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "--hypothesis-profile=soak", *FUZZ]
    own = {name: value for name, value in os.environ.items() if name not in _OURS}
    if subprocess.run(command, env=own, check=False).returncode:
        raise Disagreement("the fuzz tests found something, see above")


_OURS = {*SETTINGS, "DATABASE_URL", "KEEPTRUSTS_DATA"}


def _agree(what: str, found: Any, wanted: Any) -> None:
    if found != wanted:
        raise Disagreement(f"{what} do not agree: {found!r:.500} and {wanted!r:.500}")


if __name__ == "__main__":
    sys.exit(main())
