"""A real worker runs real tasks, with and without Redis."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.core.cache import caches
from django.core.cache.backends.redis import RedisCache
from django.db import connection

ROOT = Path(__file__).resolve().parents[2]
QUEUE = f"keeptrusts-worker-{os.getpid()}"
CELERY = [sys.executable, "-m", "celery", "-A", "keeptrusts.celery"]


@pytest.fixture
def embedded(tmp_path: Path) -> dict[str, str]:
    for folder in ("queue", "control"):
        (tmp_path / "broker" / folder).mkdir(parents=True)
    return {"KEEPTRUSTS_DATA": str(tmp_path)}


@pytest.fixture
def with_redis(tmp_path: Path, redis_url: str) -> dict[str, str]:
    return {"KEEPTRUSTS_DATA": str(tmp_path), "REDIS_URL": redis_url}


@pytest.fixture
def environment(request: pytest.FixtureRequest) -> dict[str, str]:
    """The environment of a worker that shares this test's database and the given broker."""
    broker: dict[str, str] = request.getfixturevalue(request.param)
    name = connection.settings_dict["NAME"]
    return os.environ | {"DATABASE_URL": f"sqlite:///{name}"} | broker


@pytest.fixture
def worker(environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*CELERY, "worker", "--pool=threads", "--concurrency=1", "-Q", QUEUE, "--loglevel=INFO"],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    yield process
    process.terminate()
    process.communicate(timeout=60)


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """The first log line that holds `text`; an ended process fails the test."""
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        if text in line:
            return line
    raise AssertionError("".join(seen))


@pytest.mark.redis
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("environment", ["embedded", "with_redis"], indirect=True)
def test_a_worker_runs_a_task(worker: subprocess.Popen[str], environment: dict[str, str]) -> None:
    read_until(worker, "ready")
    subprocess.run(
        [*CELERY, "call", "wallets.sweep_holds", "--queue", QUEUE],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        timeout=60,
    )
    line = read_until(worker, "succeeded")
    assert "closed 0 of 0 due holds" in line


@pytest.mark.redis
def test_the_cache_of_redis_is_shared_and_expires(redis_url: str) -> None:
    first, second = (RedisCache(redis_url, {"KEY_PREFIX": QUEUE}) for _ in range(2))
    first.set("colour", "green", timeout=60)
    assert second.get("colour") == "green"
    assert first.add("colour", "red") is False
    first.set("colour", "gone", timeout=0)
    assert second.get("colour") is None


def test_the_embedded_cache_lies_in_the_data_directory() -> None:
    caches["default"].set("colour", "green", timeout=60)
    assert any((settings.DATA_DIR / "cache").iterdir())
