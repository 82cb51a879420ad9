"""`kt doctor` says what is in order and what is not."""

from pathlib import Path

import pytest

from tests.kt import databases, processes
from tests.kt.conftest import Kt


def test_without_a_database_it_says_what_to_do(kt: Kt, tmp_path: Path) -> None:
    outcome = kt("doctor")
    assert outcome.code == 1
    assert outcome.out.splitlines()[0] == (
        f"FAIL  database: no database in {tmp_path}/data: run `kt up` first, name its data "
        "directory with --data or KEEPTRUSTS_DATA, or set DATABASE_URL"
    )
    assert "ok    local model: SmolLM2-135M-Instruct.Q4_1.gguf" in outcome.out
    assert outcome.err == "kt: 1 check failed\n"


def test_an_api_that_is_away_is_a_failed_check(kt: Kt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEEPTRUSTS_API_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("KEEPTRUSTS_API_TOKEN", "kt_live_x")
    outcome = kt("doctor")
    assert "FAIL  api: the API at http://127.0.0.1:1 does not answer: " in outcome.out
    assert outcome.err == "kt: 2 checks failed\n"


@pytest.mark.slow
def test_a_prepared_machine_passes(tmp_path: Path) -> None:
    env = databases.stranger(tmp_path)
    databases.prepare(tmp_path, env)
    outcome = processes.kt("doctor", cwd=tmp_path, env=env)
    assert outcome.returncode == 0, outcome.stdout
    marks = [line.split(":")[0] for line in outcome.stdout.splitlines()]
    assert marks == [
        "ok    database",
        "ok    python",
        "ok    local model",
        "ok    migrations",
        "ok    ledger guards",
        "ok    jobs",
    ]
