"""Measures direct, enforcement off and enforcement on in turn, with one and two processes."""

import json
import time
from dataclasses import asdict, dataclass

import psycopg

from bench import database, machine
from bench.figures import Table, median, number
from bench.gateway import sites
from bench.gateway.load import Plan
from bench.gateway.processes import output_of
from bench.gateway.sites import TEAMS, Gateway, Site

CONCURRENCY = (1, 16, 64, 256)
STREAMS = (1, 16, 64)
PAID = ("on", "hit", "mixed", "long")
SHARE, RATE, ADDED_MS = 0.65, 1_000, 5.0
FIRST_BYTE_MS, HITS = 5.0, 2.0
EVENTS = 12
"""Events of a stream of the stub."""


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
    with sites.open_site(seconds) as site:
        print(database.description(site.url))
        found: dict[Case, dict[str, float]] = {}
        for workers in (1, 2):
            found |= _measured(site, workers, rounds)
            print(_table(found, workers, stream=False))
        print(_table(found, 1, stream=True))
        more = _one_at_a_time(site, rounds)
        print(_more_table(more))
        print(_verdict(found, more))
        print(_memory(site, 10_000 if short else 100_000))
        _check_books(site)


def _measured(site: Site, workers: int, rounds: int) -> dict[Case, dict[str, float]]:
    """Medians of every case with so many processes; paths take turns, so drift hits all alike."""
    with sites.gateway(site, "off", workers) as off, sites.gateway(site, "on", workers) as on:
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
    keys = sites.keys(TEAMS if target.path == "mixed" else 1)
    plan = Plan(target.port, connections, site.seconds, 0.2 * site.seconds, keys, stream)
    clock = _Clock(site, target)
    figures = json.loads(output_of("bench.gateway.load", json.dumps(asdict(plan))))
    if figures["refused"]:
        raise SystemExit(f"bench: {target.path} refused requests: {figures['refusals']}")
    site.answered[target.path] += figures["answered"]
    names = ("rate", "p50", "p99", "first", "answered")
    return {name: figures[name] for name in names} | clock.read(figures["answered"])


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


def _one_at_a_time(site: Site, rounds: int) -> dict[tuple[str, int], dict[str, float]]:
    """Answers from the cache, and many wallets instead of one: a gateway process for each."""
    found = {}
    for path in ("hit", "mixed"):
        with sites.gateway(site, path, 1) as target:
            for connections in (1, 64):
                rows = [_once(site, target, connections, False) for _ in range(rounds)]
                found[path, connections] = {
                    name: median([row[name] for row in rows]) for name in rows[0]
                }
    return found


def _more_table(more: dict[tuple[str, int], dict[str, float]]) -> Table:
    names = {"hit": "cache hit", "mixed": f"{TEAMS} keys and wallets"}
    table = Table(
        "### Plain answers, one gateway process, enforcement on",
        *("path", "clients", "requests/s", "p50 ms", "p99 ms", "gateway CPU ms"),
    )
    for (path, connections), row in more.items():
        table.add(names[path], str(connections), row["rate"], row["p50"], row["p99"], row["cpu"])
    return table


def _memory(site: Site, requests: int) -> Table:
    """Resident memory of one process while it serves so many requests."""
    table = Table("### Memory of one gateway process", "requests served", "MiB")
    with sites.gateway(site, "long", 1) as target:
        served, due = 0, 0
        while served < requests:
            served += int(_once(site, target, 64, False)["answered"])
            if served >= due:
                table.add(f"{served:,}", machine.resident_mib(target.child.pid))
                due = served + requests // 10
    return table


def _verdict(
    found: dict[Case, dict[str, float]], more: dict[tuple[str, int], dict[str, float]]
) -> str:
    def figure(name: str, workers: int, path: str, connections: int) -> float:
        return found[Case(workers, path, connections, False)][name]

    shares = {n: figure("rate", n, "on", 64) / figure("rate", n, "off", 64) for n in (1, 2)}
    best = max(figure("rate", 2, "on", n) for n in CONCURRENCY)
    direct = figure("p50", 1, "direct", 1)
    added = {path: figure("p50", 1, path, 1) - direct for path in ("off", "on")}
    streams = {path: found[Case(1, path, 16, True)]["first"] for path in ("direct", "on")}
    chunks = EVENTS * found[Case(1, "on", 64, True)]["rate"]
    hits = more["hit", 64]["rate"] / figure("rate", 1, "on", 64)
    return (
        f"\non / off at 64 clients: {shares[1]:.0%} with one process, {shares[2]:.0%} with two "
        f"(target {SHARE:.0%})\n"
        f"most with two processes, enforcement on: {number(best)} requests/s (target {RATE:,})\n"
        f"added p50 at one client: {added['on']:.2f} ms, of which the ledger "
        f"{added['on'] - added['off']:.2f} ms (target {ADDED_MS:.0f} ms)\n"
        f"added p50 to the first byte of a stream at 16 clients: "
        f"{streams['on'] - streams['direct']:.2f} ms (target {FIRST_BYTE_MS:.0f} ms); "
        f"{number(chunks)} events/s at 64 clients\n"
        f"cache hits / misses at 64 clients: {hits:.1f} (target {HITS:.0f})"
    )


def _check_books(site: Site) -> None:
    """A benchmark that corrupts the books is no benchmark."""
    said = json.loads(output_of("bench.gateway.books", "check", **site.environment))
    paid = sum(site.answered[path] for path in PAID) - said["cached"]
    written = sum(site.answered[path] for path in (*PAID, "off"))
    print(f"\n{said['line']}")
    print(
        f"{paid:,} answers were paid for, {said['count']:,} charges of "
        f"{said['least'] / 1e9:.7f} USD; {said['cached']:,} came from the cache; "
        f"{written:,} answers, {said['events']:,} events"
    )
    exact = said["count"] == paid and said["least"] == said["most"] > 0
    if not (said["ok"] and exact and said["events"] == written):
        raise SystemExit("bench: the books do not match the load")
