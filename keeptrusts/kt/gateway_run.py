"""Starts the gateway: one process that serves, or a supervisor of several on one port."""

import os
import socket
import sys
import tempfile
from pathlib import Path

import typer

from keeptrusts.kt import configuration, database, known, locks
from keeptrusts.kt.errors import Failure
from keeptrusts.supervisor import ports

APPLICATION = "gateway.asgi:application"
POLICY_VARIABLE = "KEEPTRUSTS_POLICY_CONFIG"
PUBLIC_URL_VARIABLE = "KEEPTRUSTS_PUBLIC_URL"
METRICS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
LOCK_FILE = "gateway.lock"


def run(policy_file: Path, *, host: str, port: int, workers: int, data: Path | None) -> None:
    """Serve on host:port with `workers` processes until SIGINT or SIGTERM.

    Raises Failure for an unusable policy file, a second gateway on SQLite or a database that does
    not answer, PortUnavailable for a port in use; nothing has been started then.
    """
    _say_where_the_console_is(policy_file)
    directory = database.connect(data)
    _claim_sqlite(directory, workers)
    lines = _start_lines(policy_file)
    os.environ[POLICY_VARIABLE] = str(policy_file.absolute())
    sockets = _listening(host, port, workers)
    for line in lines:
        _info(line)
    if workers == 1:
        _serve_here(sockets[0])
    else:
        _supervise(sockets)


def _say_where_the_console_is(policy_file: Path) -> None:
    """Links in refusals lead to the console; the settings read the variable when they load."""
    address = configuration.console_address(policy_file)
    if address:
        os.environ.setdefault(PUBLIC_URL_VARIABLE, address)


def _info(text: str) -> None:
    sys.stdout.write(f"INFO keeptrusts::gateway {text}\n")
    sys.stdout.flush()


def _claim_sqlite(directory: Path, workers: int) -> None:
    """On SQLite one process writes: take the lock of the data directory, or refuse."""
    from django.conf import settings

    if settings.POSTGRESQL:
        return
    if workers > 1:
        raise Failure("several workers need PostgreSQL: set DATABASE_URL, or use --workers 1")
    locks.hold(
        directory / LOCK_FILE,
        f"a gateway runs on {directory} already, and SQLite carries only one: "
        "stop it, or use PostgreSQL",
    )


def _start_lines(policy_file: Path) -> list[str]:
    """What to say at the start; raises Failure after naming every problem of the file."""
    from gateway import policy

    try:
        loaded = policy.load(policy_file, os.environ, known=known.names())
        known.warn_of_token(loaded)
    except policy.PolicyError as error:
        errors = [p for p in error.problems if p.severity is policy.Severity.ERROR]
        for problem in errors:
            typer.echo(str(problem), err=True)
        raise Failure(f"{policy_file} cannot be used: see above") from error
    finally:
        database.disconnect()
    return policy.start_lines(loaded)


def _listening(host: str, port: int, count: int) -> list[socket.socket]:
    """One listening socket per process: the kernel deals connections out among them."""
    ports.require_free(host, port)
    return [ports.listening(host, port, backlog=2048, shared=count > 1) for _ in range(count)]


def _serve_here(sock: socket.socket) -> None:
    from keeptrusts.kt import serving

    serving.serve(APPLICATION, sock, on_ready=lambda: _info("Gateway ready"))


def _supervise(sockets: list[socket.socket]) -> None:
    from keeptrusts.kt.workers import programs
    from keeptrusts.supervisor.supervisor import Supervisor

    with (
        tempfile.TemporaryDirectory(prefix="keeptrusts-metrics-") as shared,
        Supervisor(
            programs("gateway", APPLICATION, sockets), report=_report, forward_hangup=True
        ) as supervisor,
    ):
        # Whichever process answers /metrics, it answers for all of them.
        os.environ[METRICS_VARIABLE] = shared
        supervisor.start()
        if supervisor.wait_ready():
            _info("Gateway ready")
            supervisor.run()


def _report(text: str) -> None:
    typer.echo(f"kt: {text}", err=True)
