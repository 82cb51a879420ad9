"""`kt gateway run`: what it prints, what keeps it from starting, and its worker processes."""

import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from keeptrusts.supervisor import ports
from tests.kt import databases
from tests.kt.processes import Running, kt, lives, running, until

pytestmark = pytest.mark.slow
TUTORIAL = Path(__file__).resolve().parents[1] / "fixtures" / "policies" / "tutorial-002.yaml"
START_LINES = """\
INFO keeptrusts::gateway Cost tracking: enabled, wallet_enforcement=true
INFO keeptrusts::gateway Budget alerts: 50%→notify, 80%→notify, 95%→notify, 100%→block
INFO keeptrusts::gateway Gateway ready
"""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tutorial's policy file and a data directory that holds the demo."""
    folder = tmp_path_factory.mktemp("gateway")
    databases.prepare(folder, databases.stranger(folder))
    shutil.copy(TUTORIAL, folder / "policy-config.yaml")
    return folder


@pytest.fixture
def folder(prepared: Path, tmp_path: Path) -> Path:
    """A copy for one test."""
    return Path(shutil.copytree(prepared, tmp_path / "own"))


def gateway(folder: Path, port: int, *options: str, **env: str) -> AbstractContextManager[Running]:
    command = ("gateway", "run", "--policy-config", "policy-config.yaml", "--port", str(port))
    return running(
        *(sys.executable, "-m", "keeptrusts.kt", *command, *options),
        cwd=folder,
        env=databases.stranger(folder, **env),
    )


def status(port: int, path: str = "/readyz") -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_prints_exactly_the_start_lines_and_ends_cleanly(folder: Path) -> None:
    port = ports.unused()
    with gateway(folder, port, KEEPTRUSTS_API_TOKEN=databases.token(folder)) as started:
        started.until_says("Gateway ready")
        assert status(port) == 200
        assert started.stop(signal.SIGTERM) == 0
        assert started.text() == START_LINES


def test_an_unknown_team_keeps_it_from_starting(folder: Path) -> None:
    policy = folder / "policy-config.yaml"
    policy.write_text(policy.read_text().replace("team_marketing", "team_marketin"))
    outcome = kt("gateway", "run", cwd=folder, env=databases.stranger(folder))
    assert outcome.returncode == 1
    assert outcome.stdout == ""
    first, last = outcome.stderr.splitlines()
    assert "error: there is no team 'team_marketin' (did you mean 'team_marketing'?)" in first
    assert last == "kt: policy-config.yaml cannot be used: see above"


def test_ctrl_c_is_answered_at_once(folder: Path) -> None:
    with gateway(folder, ports.unused()) as started:
        started.until_says("Gateway ready")
        assert started.stop(signal.SIGINT) == 0
        assert started.text().splitlines()[-1] == (
            "kt: stopping … (running answers may take 30 seconds; again: at once)"
        )


def test_a_token_that_is_not_valid_is_told(folder: Path) -> None:
    with gateway(folder, ports.unused()) as started:
        started.until_says("Gateway ready")
        assert started.text().startswith("kt: warning: KEEPTRUSTS_API_TOKEN is set, but not to a ")


SECOND = """
from keeptrusts.kt import database
database.setup()
from wallets.models import Organization
Organization.objects.create(slug="second", name="Second")
"""


def test_an_application_that_cannot_start_is_one_line(folder: Path) -> None:
    env = databases.stranger(folder)
    subprocess.run([sys.executable, "-c", SECOND], cwd=folder, env=env, check=True)
    outcome = kt("gateway", "run", "--port", str(ports.unused()), cwd=folder, env=env)
    assert outcome.returncode == 1
    warning, reason = outcome.stderr.splitlines()
    assert warning.startswith("kt: warning: KEEPTRUSTS_API_TOKEN is set, but not to a ")
    assert reason == (
        "kt: the policy file cannot be used: several organizations exist: "
        "say which one with a line 'organization: SLUG'"
    )


def test_a_taken_port_is_one_line(folder: Path) -> None:
    with ports.listening("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        listen = f"127.0.0.1:{port}"
        env = databases.stranger(folder, KEEPTRUSTS_API_TOKEN=databases.token(folder))
        outcome = kt("gateway", "run", "--listen", listen, cwd=folder, env=env)
    assert outcome.returncode == 1
    assert outcome.stdout == ""
    assert outcome.stderr == f"kt: port {port} on 127.0.0.1 is taken by another program\n"


def test_sqlite_carries_one_process(folder: Path) -> None:
    with gateway(folder, ports.unused()) as first:
        first.until_says("Gateway ready")
        second = kt("gateway", "run", cwd=folder, env=databases.stranger(folder))
    assert second.returncode == 1
    assert second.stderr == (
        f"kt: a gateway runs on {folder}/data already, and SQLite carries only one: "
        "stop it, or use PostgreSQL\n"
    )


def test_several_workers_need_postgresql(folder: Path) -> None:
    outcome = kt("gateway", "run", "--workers", "2", cwd=folder, env=databases.stranger(folder))
    assert outcome.returncode == 1
    assert outcome.stderr == (
        "kt: several workers need PostgreSQL: set DATABASE_URL, or use --workers 1\n"
    )


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[str]:
    """A database with the demo, on the PostgreSQL of this run."""
    with databases.own_postgres() as url:
        databases.prepare(tmp_path, databases.stranger(tmp_path, DATABASE_URL=url))
        shutil.copy(TUTORIAL, tmp_path / "policy-config.yaml")
        yield url


@pytest.mark.postgres_only
def test_workers_share_the_port_and_are_replaced(postgres: str, tmp_path: Path) -> None:
    port = ports.unused()
    with gateway(tmp_path, port, "--workers", "2", DATABASE_URL=postgres) as started:
        started.until_says("Gateway ready")
        first = workers_of(started.pid)
        assert len(first) == 2
        assert [status(port) for _ in range(8)] == [200] * 8
        os.kill(first[0], signal.SIGKILL)
        until(lambda: len(set(workers_of(started.pid)) - {first[0]}) == 2, "a second worker")
        replaced = workers_of(started.pid)
        until(lambda: [status(port) for _ in range(8)] == [200] * 8, "both workers answer")
        assert started.stop(signal.SIGTERM) == 0
    assert not any(lives(pid) for pid in {*first, *replaced})


def workers_of(pid: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-eo", "pid=,ppid=,stat="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split() for line in listed.splitlines()]
    return [int(row[0]) for row in rows if int(row[1]) == pid and not row[2].startswith("Z")]
