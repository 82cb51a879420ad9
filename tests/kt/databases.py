"""Databases for processes of their own: prepared once, as `kt up` would."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from tests.kt.processes import PATIENCE_SECONDS, environment

PREPARE = """
from pathlib import Path
from keeptrusts.kt import database
database.data_directory(Path("data")).mkdir()
database.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from keeptrusts import demo
demo.create_once(Path("data"))
"""


def prepare(folder: Path, env: dict[str, str]) -> None:
    """A migrated database with the demo; its data directory is `folder`/data."""
    subprocess.run(
        [sys.executable, "-c", PREPARE], cwd=folder, env=env, check=True, timeout=PATIENCE_SECONDS
    )


@contextmanager
def own_postgres() -> Iterator[str]:
    """The URL of an empty database on the server of this test run."""
    import psycopg

    parts = urlsplit(os.environ["DATABASE_URL"])
    name = f"keeptrusts_kt_{os.getpid()}"
    server = urlunsplit(parts._replace(path="/postgres"))
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
        try:
            yield urlunsplit(parts._replace(path=f"/{name}"))
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[arg-type]


def stranger(folder: Path, **extra: str) -> dict[str, str]:
    """The environment of processes on the data directory in `folder`."""
    common = {
        "KEEPTRUSTS_DATA": str(folder / "data"),
        "OPENAI_API_KEY": "sk-test",
        "KEEPTRUSTS_API_TOKEN": "kt_live_test",
    }
    return environment(**(common | extra))


def token(folder: Path) -> str:
    """The API token of the demo that was prepared in `folder`."""
    return str(json.loads((folder / "data" / "demo.json").read_text())["api_token"])
