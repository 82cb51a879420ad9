"""The run uses the engine it says, on files and servers of its own."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis
from django.db import connection

from tests.plugins.keeper import KeptServer


@pytest.mark.engines
@pytest.mark.django_db
def test_the_database_is_the_engine_of_the_run(request: pytest.FixtureRequest) -> None:
    engine = {"sqlite": "sqlite", "postgres": "postgresql"}[request.config.getoption("--engine")]
    assert connection.vendor == engine


@pytest.mark.engines
@pytest.mark.django_db
def test_the_test_database_belongs_to_this_run() -> None:
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        assert name.startswith(os.environ["KEEPTRUSTS_TEST_DIRECTORY"])
        assert "memory" not in name
    else:
        assert name.startswith("test_keeptrusts_")


@pytest.mark.django_db
@pytest.mark.engines
def test_sqlite_commits_are_durable_and_writers_queue() -> None:
    if connection.vendor != "sqlite":
        assert connection.features.has_select_for_update
        return
    with connection.cursor() as cursor:
        journal = cursor.execute("PRAGMA journal_mode").fetchone()
        synchronous = cursor.execute("PRAGMA synchronous").fetchone()
    assert (journal, synchronous) == (("wal",), (2,))


@pytest.mark.redis
def test_redis_is_real(redis_url: str) -> None:
    key = f"keeptrusts-test-{os.getpid()}"
    with redis.Redis.from_url(redis_url) as client:
        client.set(key, "1", ex=60)
        assert client.get(key) == b"1"


def test_a_kept_server_ends_with_its_owner_even_when_killed() -> None:
    owner = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from tests.plugins.keeper import KeptServer; s = KeptServer('redis');"
            "print(s.url, flush=True); input()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout is not None
    url = owner.stdout.readline().strip()
    owner.kill()
    # The keeper and its server inherited stderr: it ends when the last of them has ended.
    owner.communicate(timeout=30)
    with redis.Redis.from_url(url) as client, pytest.raises(redis.ConnectionError):
        client.ping()


def test_an_embedded_postgres_leaves_nothing_behind() -> None:
    with KeptServer("postgres") as server:
        directory = Path(server.url.split("host=")[1])
        with psycopg.connect(server.url) as session:
            assert session.execute("SELECT 1").fetchone() == (1,)
    assert not directory.exists()


def test_a_run_inside_a_test_is_a_run_of_its_own(tmp_path: Path) -> None:
    inner = tmp_path / "test_inner.py"
    inner.write_text(
        "import os\n"
        "def test_directory():\n"
        "    print('directory', os.environ['KEEPTRUSTS_TEST_DIRECTORY'])\n"
    )
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "pytest", "-s", "-q", "-n0", "-c", root / "pyproject.toml"]
    result = subprocess.run([*command, inner], capture_output=True, text=True, check=True)
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("directory")]
    directory = Path(line.split()[1])
    assert directory != Path(os.environ["KEEPTRUSTS_TEST_DIRECTORY"])
    assert not directory.exists()
