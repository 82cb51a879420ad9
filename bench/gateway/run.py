"""Measures direct, enforcement off and enforcement on in turn, with one and two processes."""

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from bench import database, machine
from bench.figures import Table, median, number
from bench.gateway.load import Plan
from bench.gateway.processes import Child, output_of, running
from keeptrusts.supervisor import ports

CONCURRENCY = (1, 16, 64, 256)
STREAMS = (1, 64)
KEY = "kt_cg_benchmark_0123456789abcdef"
SETTINGS = {"DJANGO_SETTINGS_MODULE": "keeptrusts.settings", "KEEPTRUSTS_ENV": "embedded"}
PATHS = ("direct", "off", "on")
SHARE, RATE, ADDED_MS = 0.60, 1_000, 5.0


@dataclass
class Site:
    """Everything one run stands on."""

    url: str
    directory: Path
    stub: Child
    stub_port: int
    team: str
    seconds: float
    answered: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PATHS, 0))

    @property
    def environment(self) -> dict[str, str]:
        """Settings of the gateway processes and of those that look at its database."""
        return SETTINGS | {"DATABASE_URL": self.url, "KEEPTRUSTS_DATA": str(self.directory)}


@dataclass
class Gateway:
    """A running gateway, or the stub itself."""

    path: str
    port: int
    child: Child


@dataclass(frozen=True)
class Case:
    """One row of a table."""

    workers: int
    path: str
    connections: int
    stream: bool


def run(*, short: bool) -> None:
    """Print the tables; about four minutes, one when ``short``."""
    rounds, seconds = (1, 1.0) if short else (3, 2.0)
    print("\n## Gateway: closed-loop clients, stub upstream, gateway and database on one machine")
    with _site(seconds) as site:
        print(database.description(site.url))
        found: dict[Case, dict[str, float]] = {}
        for workers in (1, 2):
            found |= _measured(site, workers, rounds)
            print(_table(found, workers, stream=False))
        print(_table(found, 1, stream=True))
        print(_verdict(found))
        _check_books(site)


@contextmanager
def _site(seconds: float) -> Iterator[Site]:
    with ExitStack() as stack:
        url = stack.enter_context(database.scratch(stack.enter_context(database.server())))
        place = stack.enter_context(tempfile.TemporaryDirectory(prefix="keeptrusts-bench-"))
        stub = stack.enter_context(running("bench.gateway.stub"))
        site = Site(url, Path(place), stub, int(stub.line()), "", seconds)
        prepared = output_of("bench.gateway.books", "prepare", **site.environment)
        site.team = json.loads(prepared)["team"]
        yield site


@contextmanager
def _gateway(site: Site, path: str, workers: int) -> Iterator[Gateway]:
    policy = site.directory / f"policy-{path}.yaml"
    # JSON is YAML.
    policy.write_text(json.dumps(_policy(site, enforced=path == "on")))
    port = ports.unused()
    log = site.directory / f"gateway-{path}-{workers}.log"
    command = ("keeptrusts.kt", "gateway", "run", "--policy-config", str(policy))
    options = ("--port", str(port), "--workers", str(workers), "--data", str(site.directory))
    environment = site.environment | {"LOG_LEVEL": "WARNING", "OPENAI_API_KEY": "unused"}
    with (
        log.open("wb") as errors,
        running(*command, *options, stderr=errors, **environment) as child,
    ):
        try:
            child.wait_for("Gateway ready")
            yield Gateway(path, port, child)
        except BaseException:
            print(log.read_text()[-2000:])
            raise


def _policy(site: Site, *, enforced: bool) -> dict[str, Any]:
    target = {
        "id": "stub",
        "provider": "openai",
        "base_url": f"http://127.0.0.1:{site.stub_port}/v1",
    }
    group = {"name": "bench", "api_key": KEY, "wallet_team_id": site.team}
    return {
        "version": "1",
        "organization": "bench",
        "providers": {"targets": [target]},
        "consumer_groups": [group],
        "cost_tracking": {"wallet_enforcement": enforced},
    }


def _measured(site: Site, workers: int, rounds: int) -> dict[Case, dict[str, float]]:
    """Medians of every case with so many processes; paths take turns, so drift hits all alike."""
    with _gateway(site, "off", workers) as off, _gateway(site, "on", workers) as on:
        targets = [Gateway("direct", site.stub_port, site.stub), off, on]
        cases = [(n, False) for n in CONCURRENCY]
        cases += [(n, True) for n in STREAMS] if workers == 1 else []
        samples: dict[Case, list[dict[str, float]]] = {}
        for _ in range(rounds):
            for connections, stream in cases:
                for target in targets:
                    case = Case(workers, target.path, connections, stream)
                    samples.setdefault(case, []).append(_once(site, target, connections, stream))
    return {
        case: {name: median([row[name] for row in rows]) for name in rows[0]}
        for case, rows in samples.items()
    }


def _once(site: Site, target: Gateway, connections: int, stream: bool) -> dict[str, float]:
    plan = Plan(target.port, connections, site.seconds, 0.2 * site.seconds, KEY, stream)
    clock = _Clock(site, target)
    figures = json.loads(output_of("bench.gateway.load", json.dumps(asdict(plan))))
    if figures["refused"]:
        raise SystemExit(f"bench: {target.path} refused requests: {figures['refusals']}")
    site.answered[target.path] += figures["answered"]
    return {name: figures[name] for name in ("rate", "p50", "p99", "first")} | clock.read(
        figures["answered"]
    )


class _Clock:
    """Processor time of everybody who takes part, and of the rest of the machine."""

    def __init__(self, site: Site, target: Gateway) -> None:
        self._site, self._target = site, target
        self._backends = _backends(site.url)
        self._before = self._now()

    def _now(self) -> tuple[float, ...]:
        return (
            self._target.child.cpu(),
            sum(machine.cpu_seconds(pid) or 0.0 for pid in self._backends),
            self._site.stub.cpu() if self._target.child is not self._site.stub else 0.0,
            machine.children_seconds(),
            machine.busy_seconds() or 0.0,
            time.monotonic(),
        )

    def read(self, answered: int) -> dict[str, float]:
        """Milliseconds per answer, and how many cores strangers took."""
        spans = [b - a for a, b in zip(self._before, self._now(), strict=True)]
        own, backends, _stub, _clients, busy, elapsed = spans
        strangers = max(0.0, busy - sum(spans[:4])) / elapsed
        return {
            "cpu": 1000 * own / answered,
            "database": 1000 * backends / answered,
            "strangers": strangers,
        }


def _backends(url: str) -> list[int]:
    """Processes of the server that work for our database."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid()"
        )
        return [row[0] for row in rows]


def _table(found: dict[Case, dict[str, float]], workers: int, *, stream: bool) -> Table:
    processes = "one gateway process" if workers == 1 else f"{workers} gateway processes"
    table = Table(
        f"### {'Streams' if stream else 'Plain answers'}, {processes}, one hot wallet",
        *("path", "clients", "requests/s", "p50 ms", "p99 ms", "first byte ms", "× off"),
        *("gateway CPU ms", "PostgreSQL CPU ms", "strangers, cores"),
    )
    for case, row in found.items():
        if (case.workers, case.stream) != (workers, stream):
            continue
        off = found[Case(workers, "off", case.connections, stream)]
        through = case.path != "direct"
        table.add(
            case.path if not through else f"enforcement {case.path}",
            str(case.connections),
            row["rate"],
            row["p50"],
            row["p99"],
            row["first"],
            row["rate"] / off["rate"] if through else None,
            row["cpu"] if through else None,
            row["database"] if through else None,
            row["strangers"],
        )
    return table


def _verdict(found: dict[Case, dict[str, float]]) -> str:
    def figure(name: str, workers: int, path: str, connections: int) -> float:
        return found[Case(workers, path, connections, False)][name]

    shares = {n: figure("rate", n, "on", 64) / figure("rate", n, "off", 64) for n in (1, 2)}
    best = max(figure("rate", 2, "on", n) for n in CONCURRENCY)
    direct = figure("p50", 1, "direct", 1)
    added = {path: figure("p50", 1, path, 1) - direct for path in ("off", "on")}
    return (
        f"\non / off at 64 clients: {shares[1]:.0%} with one process, {shares[2]:.0%} with two "
        f"(target {SHARE:.0%})\n"
        f"most with two processes, enforcement on: {number(best)} requests/s (target {RATE:,})\n"
        f"added p50 at one client: {added['on']:.2f} ms, of which the ledger "
        f"{added['on'] - added['off']:.2f} ms (target {ADDED_MS:.0f} ms)"
    )


def _check_books(site: Site) -> None:
    """A benchmark that corrupts the books is no benchmark."""
    said = json.loads(output_of("bench.gateway.books", "check", **site.environment))
    paid, written = site.answered["on"], site.answered["on"] + site.answered["off"]
    print(f"\n{said['line']}")
    print(
        f"{paid:,} answers were paid for, {said['count']:,} charges of "
        f"{said['least'] / 1e9:.7f} USD; {written:,} answers, {said['events']:,} events"
    )
    exact = said["count"] == paid and said["least"] == said["most"] > 0
    if not (said["ok"] and exact and said["events"] == written):
        raise SystemExit("bench: the books do not match the load")
