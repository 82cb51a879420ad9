"""Chooses the database of a test run, before Django reads its settings.

SQLite files by default; `--engine=postgres` takes DATABASE_URL when it is PostgreSQL, else
KEEPTRUSTS_TEST_DATABASE_URL, else starts an embedded server. A test run never sees the caller's
own settings: what it needs of them is put aside under KEEPTRUSTS_TEST_ names.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from tests.plugins.keeper import KeptServer

CALLERS_OWN = (
    *("ALLOWED_HOSTS", "DATABASE_URL", "DEBUG", "LOG_FORMAT", "LOG_LEVEL", "OPENAI_BASE_URL"),
    *("PAYPAL_ENVIRONMENT", "REDIS_URL", "SECRET_KEY", "SECRET_KEY_FALLBACKS"),
)
ONE_ENGINE = "postgres_only"
_resources: list[KeptServer | Path] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("keeptrusts")
    group.addoption(
        "--engine", choices=("sqlite", "postgres"), default="sqlite", help="database of the run"
    )


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """Runs round pytest-django's hook of the same name, which loads the settings."""
    # The variable alone is not enough: a test may start a test run of its own.
    if os.environ.get("KEEPTRUSTS_TEST_RUN") == str(os.getppid()):
        _prepare_process(os.environ["PYTEST_XDIST_WORKER"])
    else:
        _prepare_run(early_config.known_args_namespace.engine)
        _prepare_process("main")
    yield


def _prepare_run(engine: str) -> None:
    """Once, in the process that starts the workers; they inherit the environment."""
    database_url = os.environ.get("DATABASE_URL", "")
    redis_url = os.environ.get("REDIS_URL", "")
    for name in [name for name in os.environ if name.startswith("KEEPTRUSTS_")]:
        if not name.startswith("KEEPTRUSTS_TEST_"):
            del os.environ[name]
    for name in CALLERS_OWN:
        os.environ.pop(name, None)
    directory = Path(tempfile.mkdtemp(prefix="keeptrusts-tests-"))
    _resources.append(directory)
    # Not a hook of pytest: a run that stops early has none.
    atexit.register(_clean_up)
    os.environ["KEEPTRUSTS_TEST_RUN"] = str(os.getpid())
    os.environ["KEEPTRUSTS_TEST_DIRECTORY"] = str(directory)
    if redis_url:
        os.environ["KEEPTRUSTS_TEST_REDIS_URL"] = redis_url
    if engine == "postgres":
        os.environ["DATABASE_URL"] = _own_database(_postgres(database_url))


def _postgres(database_url: str) -> str:
    if database_url.startswith(("postgres://", "postgresql://")):
        return database_url
    given = os.environ.get("KEEPTRUSTS_TEST_DATABASE_URL")
    if given:
        return given
    server = KeptServer("postgres")
    _resources.append(server)
    return server.url


def _own_database(url: str) -> str:
    """The same server, with a database name no other run uses; Django adds `test_` to it."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/keeptrusts_{os.getpid()}"))


def _prepare_process(worker: str) -> None:
    data = Path(os.environ["KEEPTRUSTS_TEST_DIRECTORY"]) / worker
    data.mkdir(exist_ok=True)
    os.environ["KEEPTRUSTS_DATA"] = str(data)
    os.environ["KEEPTRUSTS_ENV"] = "test"
    os.environ["DJANGO_SETTINGS_MODULE"] = "keeptrusts.settings"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "engines: money, races, migrations: runs on both engines")
    config.addinivalue_line("markers", f"{ONE_ENGINE}: needs PostgreSQL: left out on SQLite")
    config.addinivalue_line("markers", "redis: uses a real Redis, see the fixture redis_url")
    config.addinivalue_line("markers", "slow: takes more than five seconds")
    config.addinivalue_line("markers", "long: has a make target of its own")
    config.addinivalue_line("markers", "browser: needs Chromium; run by make test-browser")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--engine") == "postgres":
        return
    left_out = [item for item in items if item.get_closest_marker(ONE_ENGINE)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker(ONE_ENGINE)]


def pytest_report_header(config: pytest.Config) -> str:
    return f"engine: {config.getoption('--engine')}"


def _clean_up() -> None:
    while _resources:
        resource = _resources.pop()
        if isinstance(resource, KeptServer):
            resource.close()
        else:
            shutil.rmtree(resource, ignore_errors=True)
