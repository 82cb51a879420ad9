"""The database of the commands that work on it directly: DATABASE_URL, else the data directory."""

import os
from pathlib import Path

from keeptrusts.kt.errors import Failure

DEFAULT_DATA = "data"
SQLITE_FILE = "keeptrusts.sqlite3"
CONNECT_SECONDS = 5


def data_directory(data: Path | None) -> Path:
    """The data directory: `--data`, else KEEPTRUSTS_DATA, else ./data; made known to the
    settings."""
    directory = Path(data or os.environ.get("KEEPTRUSTS_DATA") or DEFAULT_DATA).absolute()
    os.environ["KEEPTRUSTS_DATA"] = str(directory)
    return directory


def exists(data: Path | None = None) -> bool:
    """Whether a database is named or lies in the data directory (it may still not answer)."""
    directory = data_directory(data)
    return bool(os.environ.get("DATABASE_URL")) or (directory / SQLITE_FILE).is_file()


def connect(data: Path | None = None) -> Path:
    """Load Django on an existing database and return the data directory; raises Failure without
    one."""
    directory = data_directory(data)
    if not exists(data):
        raise Failure(
            f"no database in {directory}: run `kt up` first, name its data directory with --data "
            "or KEEPTRUSTS_DATA, or set DATABASE_URL"
        )
    setup()
    require_answer()
    return directory


def setup() -> None:
    """Load the settings and Django (about a second); the settings end the process when one is
    wrong."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "keeptrusts.settings")
    import django

    django.setup()


def require_answer() -> None:
    """Raise Failure when PostgreSQL does not answer; the connection pool would try for long."""
    from django.db import connection

    if connection.vendor != "postgresql":
        return
    import psycopg

    parameters = connection.get_connection_params()
    parameters.setdefault("connect_timeout", CONNECT_SECONDS)
    try:
        psycopg.connect(**parameters).close()
    except psycopg.OperationalError as error:
        reason = str(error).splitlines()[0]
        raise Failure(f"the database does not answer: {reason} (see DATABASE_URL)") from error


def disconnect() -> None:
    """Close every connection (and pool) of this process."""
    from django.db import connections

    for connection in connections.all(initialized_only=True):
        connection.close()
        if hasattr(connection, "close_pool"):
            connection.close_pool()
