"""`kt doctor`: what is in order on this machine and what is not."""

import os
import platform
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from keeptrusts.kt import database, output
from keeptrusts.kt.errors import Failure

Check = Callable[[], str]


class Broken(Exception):
    """A check failed; the message says what to do."""


def doctor(
    data: Annotated[Path | None, typer.Option(help="Data directory; default: ./data.")] = None,
) -> None:
    """Check Python, the database, the ledger's guards, Redis, the local model and the API."""
    failed = 0
    for name, check in _checks(data):
        try:
            output.line(f"ok    {name}: {check()}")
        except Broken as problem:
            failed += 1
            output.line(f"FAIL  {name}: {problem}")
    if failed:
        raise Failure(f"{output.count(failed, 'check')} failed")


def _checks(data: Path | None) -> Iterator[tuple[str, Check]]:
    yield "python", platform.python_version
    yield "local model", _local_model
    if database.exists(data):
        database.connect(data)
        yield "database", _database
        yield "migrations", _migrations
        yield "ledger guards", _guards
        yield "jobs", _broker
    else:
        yield "database", _no_database
    if os.environ.get("KEEPTRUSTS_API_URL"):
        yield "api", _api


def _no_database() -> str:
    where = database.data_directory(None)
    raise Broken(f"none in {where}: run `kt up`, set KEEPTRUSTS_DATA or DATABASE_URL")


def _local_model() -> str:
    from keeptrusts.model_server import weights

    if weights.weights_path() and weights.runtime_available():
        return weights.WEIGHTS_FILE
    return "not installed, the echo model stands in"


def _database() -> str:
    from django.db import DatabaseError, connection

    try:
        connection.ensure_connection()
    except DatabaseError as error:
        raise Broken(str(error).splitlines()[0]) from error
    version = ".".join(str(part) for part in connection.get_database_version())
    return f"{connection.display_name} {version}"


def _migrations() -> str:
    from django.db import DatabaseError, connection
    from django.db.migrations.executor import MigrationExecutor

    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        raise Broken("the database does not answer") from error
    if missing:
        raise Broken(f"{len(missing)} not applied: run `kt up`, or `manage.py migrate`")
    return "all applied"


def _guards() -> str:
    from django.db import DatabaseError, connection

    from wallets import triggers

    try:
        expected, present = triggers.expected(connection), triggers.present(connection)
    except DatabaseError as error:
        raise Broken("the database does not answer") from error
    missing = sorted(expected.keys() - present)
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
