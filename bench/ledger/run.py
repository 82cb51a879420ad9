"""Measures both engines, one after the other, each in a process and a database of its own."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench import database
from bench.figures import Table
from bench.ledger.plan import SIZES, Plan

TARGET_OPERATIONS, TARGET_MS = 8_000, 2.5
SETTINGS = {"KEEPTRUSTS_ENV": "test", "DJANGO_SETTINGS_MODULE": "keeptrusts.settings"}


def run(*, short: bool) -> None:
    """Print a table per engine; about a minute, a third of that when ``short``."""
    plan = Plan(rounds=1, seconds=0.3) if short else Plan(rounds=3, seconds=0.8)
    print("\n## Ledger: reserve and settle, half of each batch; all constraints and triggers on")
    with database.server() as server, database.scratch(server) as url:
        print(database.description(url))
        with _measured("PostgreSQL", plan, DATABASE_URL=url) as rows:
            print(_table("PostgreSQL", rows))
            print(_verdict(rows))
    with tempfile.TemporaryDirectory(prefix="keeptrusts-bench-") as directory:
        path = f"sqlite:///{directory}/keeptrusts.sqlite3"
        with _measured("SQLite", plan, DATABASE_URL=path, KEEPTRUSTS_DATA=directory) as rows:
            print(_table("SQLite (WAL, synchronous=FULL)", rows))


@contextmanager
def _measured(engine: str, plan: Plan, **environment: str) -> Iterator[list[dict[str, Any]]]:
    """Rows of the child process, which ends with us whatever happens."""
    child = subprocess.Popen(
        [sys.executable, "-m", "bench.ledger.measure", json.dumps(plan.__dict__)],
        stdout=subprocess.PIPE,
        env=os.environ | SETTINGS | environment,
        text=True,
    )
    try:
        output, _ = child.communicate()
        if child.returncode:
            raise SystemExit(f"bench: measuring the ledger on {engine} failed, see above")
        answer = json.loads(output.splitlines()[-1])
        yield answer["rows"]
        print(answer["verified"])
    finally:
        child.kill()
        child.wait()


def _table(engine: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(
        f"### {engine}",
        *("wallets", "batch", "operations/s", "× batch 1", "p50 ms", "p99 ms"),
        *("Python CPU µs", "server CPU µs", "statements"),
    )
    for row in rows:
        first = next(r for r in rows if r["wallets"] == row["wallets"] and r["size"] == SIZES[0])
        table.add(
            row["wallets"],
            str(row["size"]),
            row["rate"],
            row["rate"] / first["rate"],
            row["p50"],
            row["p99"],
            row["own"],
            row["server"],
            row["statements"],
        )
    return table


def _verdict(rows: list[dict[str, Any]]) -> str:
    hot = {row["size"]: row for row in rows if row["wallets"] == "one"}
    largest, single = hot[SIZES[-1]], hot[SIZES[0]]
    return (
        f"\none hot wallet: {largest['rate']:,.0f} operations/s at batch {SIZES[-1]} "
        f"(target {TARGET_OPERATIONS:,}), p50 {single['p50']:.2f} ms for a batch of one "
        f"(target {TARGET_MS} ms)"
    )
