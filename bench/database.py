"""A PostgreSQL that keeps what it commits, and databases that last for one run.

Figures of a server that may lose a commit say nothing here: such a server is refused.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from bench.figures import median
from tests.plugins.postgres_server import PostgresServer

DURABLE = ("fsync=on", "full_page_writes=on", "synchronous_commit=on", "max_connections=100")
REQUIRED = ("fsync", "full_page_writes", "synchronous_commit")
SHOWN = (*REQUIRED, "wal_sync_method", "shared_buffers", "max_wal_size", "commit_delay")
PROBES = 100


class NotDurable(Exception):
    """The server acknowledges commits it may lose."""


@contextmanager
def server() -> Iterator[str]:
    """URL of a durable server: DATABASE_URL where it is PostgreSQL, else one of our own."""
    given = os.environ.get("DATABASE_URL", "")
    if given.startswith(("postgres://", "postgresql://")):
        _require_durable(given)
        yield given
        return
    with PostgresServer(options=DURABLE) as own:
        _require_durable(own.url)
        yield own.url


@contextmanager
def scratch(server_url: str) -> Iterator[str]:
    """URL of a new, empty database on the server; it is dropped in the end."""
    parts = urlsplit(server_url)
    name = f"keeptrusts_bench_{os.getpid()}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield urlunsplit(parts._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            connection.execute(drop.format(sql.Identifier(name)))


def _require_durable(url: str) -> None:
    found = _settings(url)
    wrong = [f"{name} = {found[name]}" for name in REQUIRED if found[name] != "on"]
    if wrong:
        raise NotDurable(f"the server may lose commits ({', '.join(wrong)}): turn them on")


def _settings(url: str) -> dict[str, str]:
    with psycopg.connect(url) as connection:
        return {
            name: connection.execute("SELECT current_setting(%s)", [name]).fetchone()[0]
            for name in (*SHOWN, "server_version")
        }


def description(url: str) -> str:
    """The server's settings and how long a flush and a commit take on it, medians in ms."""
    found = _settings(url)
    shown = ", ".join(f"{name}={found[name]}" for name in SHOWN)
    return (
        f"PostgreSQL {found['server_version']}: {shown}\n"
        f"fdatasync of 8 KiB here: {_flush_ms():.2f} ms; "
        f"commit of one small row: {_commit_ms(url):.2f} ms (medians of {PROBES})"
    )


def _flush_ms() -> float:
    times = []
    with tempfile.TemporaryFile() as file:
        # Like the write-ahead log: inside a file that is there already.
        file.write(bytes(8192 * PROBES))
        file.flush()
        os.fsync(file.fileno())
        for n in range(PROBES):
            os.pwrite(file.fileno(), b"x" * 8192, 8192 * n)
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    return 1000 * median(times)


def _commit_ms(url: str) -> float:
    times = []
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE bench_probe (n integer)")
        for n in range(PROBES):
            began = time.perf_counter()
            connection.execute("INSERT INTO bench_probe VALUES (%s)", [n])
            times.append(time.perf_counter() - began)
        connection.execute("DROP TABLE bench_probe")
    return 1000 * median(times)
