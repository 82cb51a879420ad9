"""`kt doctor` says what is in order and what is not."""

from pathlib import Path

import pytest

from tests.kt import databases, fake_api, processes
from tests.kt.conftest import Kt
from tests.kt.fake_api import FakeApi


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


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (200, "ok    gateway: {url} is ready\n"),
        (503, 'FAIL  gateway: {url} is not ready: status 503, {{"ledger": false}}\n'),
    ],
)
def test_the_gateway_is_asked_whether_it_is_ready(
    kt: Kt, api: FakeApi, status: int, line: str
) -> None:
    api.on("GET", "/readyz", '{"ledger": false}', status=status)
    assert line.format(url=api.url) in kt("doctor", "--gateway-url", api.url).out


def test_a_gateway_that_is_named_must_answer(kt: Kt) -> None:
    outcome = kt("doctor", "--gateway-url", "http://127.0.0.1:1")
    assert "FAIL  gateway: http://127.0.0.1:1 does not answer (" in outcome.out
    assert outcome.err == "kt: 2 checks failed\n"


def test_no_gateway_is_no_failure(kt: Kt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keeptrusts.kt.doctor.GATEWAY", "http://127.0.0.1:1")
    outcome = kt("doctor")
    assert "--    gateway: none runs at http://127.0.0.1:1; name another with " in outcome.out
    assert outcome.err == "kt: 1 check failed\n"


@pytest.mark.slow
def test_a_prepared_machine_passes(tmp_path: Path) -> None:
    env = databases.stranger(tmp_path)
    databases.prepare(tmp_path, env)
    with fake_api.serving() as gateway:
        gateway.on("GET", "/readyz", "{}")
        outcome = processes.kt("doctor", "--gateway-url", gateway.url, cwd=tmp_path, env=env)
    assert outcome.returncode == 0, outcome.stdout
    marks = [line.split(":")[0] for line in outcome.stdout.splitlines()]
    assert marks == [
        "ok    database",
        "ok    python",
        "ok    local model",
        "ok    migrations",
        "ok    ledger guards",
        "ok    jobs",
        "ok    gateway",
    ]
