"""The measuring process: `python -m bench.ledger.measure PLAN`, on the database of its settings.

Prints one line of JSON. Every batch is half reserves, half settles of holds that earlier batches
took, as a busy gateway sends them; a batch of one is a reserve and a settle in turn.
"""

import json
import random
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import django

from bench.figures import median, percentile
from bench.ledger.plan import SIZES, WALLETS, Plan
from bench.machine import cpu_seconds

HOLD, COST = 30_000_000, 1_140_000
SEED = 20
WARM_UP = 3
"""Batches, the first of which only opens holds."""


@dataclass
class Case:
    """One row of the table; ``samples`` are rounds of batch times in seconds."""

    wallets: str
    size: int
    targets: list[Any]
    samples: list[list[float]] = field(default_factory=list)
    statements: list[int] = field(default_factory=list)
    own_cpu: float = 0.0
    server_cpu: float | None = 0.0

    def row(self) -> dict[str, Any]:
        """Medians over the rounds: operations per second and milliseconds per batch."""
        rates = [self.size * len(times) / sum(times) for times in self.samples]
        done = self.size * sum(len(times) for times in self.samples)
        return {
            "wallets": self.wallets,
            "size": self.size,
            "rate": median(rates),
            "p50": 1000 * median([median(times) for times in self.samples]),
            "p99": 1000 * median([percentile(times, 0.99) for times in self.samples]),
            "statements": _span(self.statements),
            "own": 1e6 * self.own_cpu / done,
            "server": None if self.server_cpu is None else 1e6 * self.server_cpu / done,
        }


def _span(counts: list[int]) -> str:
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low}–{high}"


class Workload:
    """Endless batches on some wallets; every hold is settled ``lag`` batches later."""

    def __init__(self, world: Any, targets: list[Any], size: int) -> None:
        from wallets import ledger

        self._ledger, self._world, self._targets, self._size = ledger, world, targets, size
        self._random = random.Random(SEED)
        self._open: deque[Any] = deque()

    def batches(self) -> Iterator[list[Any]]:
        """Without end; the first opens the holds that the next ones settle."""
        yield [self._reserve() for _ in range(max(1, self._size // 2))]
        while True:
            settles = self._size // 2 if self._size > 1 else int(bool(self._open))
            closing = [self._settle() for _ in range(settles)]
            yield closing + [self._reserve() for _ in range(self._size - settles)]

    def last(self) -> list[Any]:
        """Settles of everything that is still held."""
        return [self._settle() for _ in range(len(self._open))]

    def _reserve(self) -> Any:
        from keeptrusts.lib.ids import uuid7

        hold = uuid7()
        self._open.append(hold)
        candidate = self._ledger.Candidate
        return self._ledger.Reserve(
            organization_id=self._world.organization_id,
            id=hold,
            amount=HOLD,
            candidates=(
                candidate(wallet=self._random.choice(self._targets)),
                candidate(wallet=self._world.top),
            ),
            request_id=f"req_{hold.hex}",
            provider="openai",
            model="gpt-4o-mini",
            facts={"route": "/v1/chat/completions", "price_version": "catalogue"},
        )

    def _settle(self) -> Any:
        return self._ledger.Settle(
            organization_id=self._world.organization_id, id=self._open.popleft(), cost=COST
        )


class Clock:
    """Processor time of this process and of the server process that works for it."""

    def __init__(self) -> None:
        from django.db import connection

        connection.ensure_connection()
        own = connection.vendor == "postgresql"
        self._server = connection.connection.info.backend_pid if own else None
        self._before = self._now()

    def _now(self) -> tuple[float, float | None]:
        return time.process_time(), cpu_seconds(self._server) if self._server else None

    def charge(self, case: Case) -> None:
        """Add what was used since the beginning."""
        (own, server), (own_before, server_before) = self._now(), self._before
        case.own_cpu += own - own_before
        known = None not in (server, server_before, case.server_cpu)
        case.server_cpu = case.server_cpu + server - server_before if known else None


def measure(case: Case, world: Any, seconds: float) -> None:
    """One round: warm up with three batches, then post batches for ``seconds``."""
    from wallets import ledger

    workload = Workload(world, case.targets, case.size)
    times: list[float] = []
    ends, clock = float("inf"), Clock()
    for number, batch in enumerate(workload.batches()):
        began = time.perf_counter()
        results = ledger.post(batch)
        ended = time.perf_counter()
        if not all(result.ok for result in results):
            raise SystemExit(f"refused: {next(r.refusal for r in results if not r.ok)!r}")
        if number == WARM_UP:
            ends, clock = ended + seconds, Clock()
        elif number > WARM_UP:
            times.append(ended - began)
        if ended >= ends:
            break
    clock.charge(case)
    case.samples.append(times)
    case.statements += _statements(workload)


def _statements(workload: Workload) -> list[int]:
    """How many statements two batches send, counted outside the timed part."""
    from bench.ledger.statements import counted
    from wallets import ledger

    counts = []
    batches = workload.batches()
    ledger.post(next(batches))
    for batch in (next(batches), next(batches)):
        with counted() as sent:
            ledger.post(batch)
        counts.append(len(sent))
    ledger.post(workload.last())
    return counts


def _rounds(plan: Plan, cases: list[Case], world: Any) -> None:
    """In a thread with the connection that the gateway's ledger thread has."""
    from gateway import connections

    connections.take(connections.LEDGER)
    try:
        for _ in range(plan.rounds):
            for case in cases:
                measure(case, world, plan.seconds)
    finally:
        connections.drop()


def main() -> None:
    """Build the world, measure every case in turn, verify the books, print."""
    plan = Plan(**json.loads(sys.argv[1]))
    django.setup()
    from bench.world import build
    from wallets import verification

    world = build(teams=WALLETS)
    cases = [
        Case(name, size, targets)
        for name, targets in (("one", world.teams[:1]), (f"{WALLETS:,}", world.teams))
        for size in SIZES
    ]
    ledger_thread = threading.Thread(target=_rounds, args=(plan, cases, world))
    ledger_thread.start()
    ledger_thread.join()
    if len(cases[-1].samples) < plan.rounds:
        raise SystemExit(1)
    report = verification.verify()
    print(json.dumps({"rows": [case.row() for case in cases], "verified": f"{report}"}))
    if not report.ok:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
