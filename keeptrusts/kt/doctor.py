"""`kt doctor`: what is in order on this machine and what is not."""

import os
import platform
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

import typer

from keeptrusts.kt import database, output
from keeptrusts.kt.errors import Failure
from keeptrusts.kt.gateway import DEFAULT_HOST, DEFAULT_PORT
from keeptrusts.supervisor import probes

Check = Callable[[], str]
GATEWAY = f"http://{DEFAULT_HOST}:{DEFAULT_PORT}"


class Broken(Exception):
    """A check failed; the message says what to do."""


class Absent(Exception):
    """There is nothing to check, which is no failure."""


def doctor(
    data: Annotated[Path | None, typer.Option(help="Data directory; default: ./data.")] = None,
    gateway_url: Annotated[
        str, typer.Option(help=f"The gateway that must answer; default: {GATEWAY}, if one runs.")
    ] = "",
) -> None:
    """Check Python, the database, the ledger's guards, Redis, the model, the API, the gateway."""
    database_answers = _passes("database", lambda: _database(data))
    checks: list[tuple[str, Check]] = [
        ("python", platform.python_version),
        ("local model", _local_model),
    ]
    if database_answers:
        checks += [("migrations", _migrations), ("ledger guards", _guards), ("jobs", _broker)]
    if os.environ.get("KEEPTRUSTS_API_URL"):
        checks.append(("api", _api))
    checks.append(("gateway", lambda: _gateway(gateway_url)))
    outcomes = [database_answers, *(_passes(name, check) for name, check in checks)]
    if not all(outcomes):
        raise Failure(f"{output.count(outcomes.count(False), 'check')} failed")


def _passes(name: str, check: Check) -> bool:
    try:
        output.line(f"ok    {name}: {check()}")
    except Broken as problem:
        output.line(f"FAIL  {name}: {problem}")
        return False
    except Absent as reason:
        output.line(f"--    {name}: {reason}")
    return True


def _local_model() -> str:
    from keeptrusts.model_server import weights

    if weights.weights_path() and weights.runtime_available():
        return weights.WEIGHTS_FILE
    return "not installed, the echo model stands in"


def _database(data: Path | None) -> str:
    try:
        database.connect(data)
    except Failure as error:
        raise Broken(str(error)) from error
    from django.db import connection

    version = ".".join(str(part) for part in connection.get_database_version())
    return f"{connection.display_name} {version}"


def _migrations() -> str:
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        raise Broken(f"{len(missing)} not applied: run `kt up`, or `manage.py migrate`")
    return "all applied"


def _guards() -> str:
    from django.db import connection

    from wallets import triggers

    expected = triggers.expected(connection)
    missing = sorted(expected.keys() - triggers.present(connection))
    if missing:
        raise Broken(f"{', '.join(missing)} missing: run `manage.py migrate`")
    return f"{len(expected)} triggers in place"


def _broker() -> str:
    from django.conf import settings

    if not settings.REDIS_URL:
        return f"files in {settings.BROKER_DIR}"
    import redis

    try:
        redis.from_url(settings.REDIS_URL, socket_timeout=5).ping()
    except redis.RedisError as error:
        raise Broken(f"Redis does not answer: {error}") from error
    return "Redis answers"


def _api() -> str:
    from keeptrusts.kt.client import Client

    try:
        client = Client()
        client.get("/v1/wallets", {"limit": 1})
    except Failure as error:
        raise Broken(str(error)) from error
    return f"{client.access.url} accepts the token"


def _gateway(url: str) -> str:
    """Asks a gateway whether a paid request could be served now."""
    address = (url or GATEWAY).rstrip("/").removesuffix("/v1")
    status, answer = probes.ask(f"{address}/readyz")
    if status == HTTPStatus.OK:
        return f"{address} is ready"
    if status is not None:
        raise Broken(f"{address} is not ready: status {status}, {answer}")
    if url:
        raise Broken(f"{address} does not answer ({answer}): start it with `kt gateway run`")
    raise Absent(f"none runs at {address}; name another with --gateway-url")
