"""An expected error is one line that says what to do; exit codes are 0, 1 and 2."""

import sys
from pathlib import Path

import pytest

from tests.kt import processes
from tests.kt.conftest import Kt
from tests.kt.fake_api import FakeApi


@pytest.mark.parametrize(
    "command",
    [
        ("spend", "--all"),
        ("events", "tail"),
        ("wallets", "list"),
        ("stop", "team", "engineering"),
    ],
)
def test_commands_on_the_api_say_what_to_set(kt: Kt, command: tuple[str, ...]) -> None:
    outcome = kt(*command)
    assert outcome.code == 1
    assert outcome.out == ""
    assert outcome.err == (
        "kt: no API address: set KEEPTRUSTS_API_URL (for example http://127.0.0.1:8080), "
        "or api.url in policy-config.yaml\n"
    )


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            ("events", "export", "--format", "xml"),
            "Invalid value for '--format': 'xml' is not one of 'csv', 'jsonl'.",
        ),
        (
            ("events", "tail", "--last", "many"),
            "Invalid value for '--last' / '--limit': not a whole number",
        ),
        (
            ("up", "--port", "70000"),
            "Invalid value for '--port': must be less than or equal to 65535",
        ),
    ],
)
def test_wrong_usage_is_told_in_plain_words(kt: Kt, command: tuple[str, ...], message: str) -> None:
    outcome = kt(*command)
    assert outcome.code == 2
    assert outcome.err.startswith(f"kt: {message} (see 'kt ")


def test_missing_token_names_the_variable(kt: Kt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEEPTRUSTS_API_URL", "http://127.0.0.1:1")
    outcome = kt("spend", "--all")
    assert outcome.code == 1
    assert outcome.err == (
        "kt: no API token: set KEEPTRUSTS_API_TOKEN to a token of the API (kt_live_…)\n"
    )


def test_missing_token_names_the_variable_of_the_policy_file(kt: Kt, tmp_path: Path) -> None:
    (tmp_path / "policy-config.yaml").write_text(
        "api: {url: 'http://localhost:1', token_env: MY_OWN_TOKEN}\n"
    )
    outcome = kt("spend", "--all")
    assert outcome.code == 1
    assert "set MY_OWN_TOKEN to a token" in outcome.err


def test_api_that_is_away_is_named(kt: Kt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEEPTRUSTS_API_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("KEEPTRUSTS_API_TOKEN", "kt_live_x")
    outcome = kt("events", "tail")
    assert outcome.code == 1
    assert outcome.err.startswith("kt: the API at http://127.0.0.1:1 does not answer: ")
    assert outcome.err.count("\n") == 1


def test_address_without_scheme_is_refused(kt: Kt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEEPTRUSTS_API_URL", "localhost:8080")
    outcome = kt("spend", "--all")
    assert outcome.code == 1
    assert "'localhost:8080' is no http:// or https:// URL" in outcome.err


def test_refusal_of_the_api_is_passed_on(kt: Kt, api: FakeApi) -> None:
    error = '{"error": {"type": "t", "code": "not_found", "message": "No team \'x\'."}}'
    api.on("GET", "/v1/spend?team=x", error, status=404)
    outcome = kt("spend", "--team", "x")
    assert outcome.code == 1
    assert outcome.err == "kt: the API refused: No team 'x'. (not_found)\n"


def test_refused_token_says_what_to_set(kt: Kt, api: FakeApi) -> None:
    error = '{"error": {"type": "t", "code": "not_authenticated", "message": "Invalid token."}}'
    api.on("GET", "/v1/spend", error, status=401)
    outcome = kt("spend", "--all")
    assert outcome.code == 1
    assert "set KEEPTRUSTS_API_TOKEN to a valid one" in outcome.err


def test_server_that_is_something_else_is_no_traceback(kt: Kt, api: FakeApi) -> None:
    api.on("GET", "/v1/spend", "<html>hello</html>")
    outcome = kt("spend", "--all")
    assert outcome.code == 1
    assert outcome.err == f"kt: {api.url} does not speak the Keeptrusts API\n"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("nonsense",), "kt: No such command 'nonsense'. (see 'kt --help')\n"),
        (("spend", "--nonsense"), "kt: No such option: --nonsense (see 'kt spend --help')\n"),
        (("gateway", "run", "--workers", "0"), "kt: Invalid value for '--workers': "),
        (("gateway", "run", "--listen", "x"), "kt: Invalid value: --listen 'x' is no HOST:PORT"),
        (("spend",), "kt: Invalid value: give either --team NAME or --all"),
        (("up", "--port", "70000"), "kt: Invalid value for '--port': "),
    ],
)
def test_wrong_usage_exits_with_2(kt: Kt, command: tuple[str, ...], message: str) -> None:
    outcome = kt(*command)
    assert outcome.code == 2
    assert outcome.err.startswith(message)
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("command", [("ledger", "verify"), ("ledger", "sweep"), ("gateway", "run")])
def test_commands_on_the_database_say_where_they_looked(
    kt: Kt, tmp_path: Path, command: tuple[str, ...]
) -> None:
    outcome = kt(*command)
    assert outcome.code == 1
    assert outcome.err == (
        f"kt: no database in {tmp_path}/data: run `kt up` first, name its data directory with "
        "--data or KEEPTRUSTS_DATA, or set DATABASE_URL\n"
    )
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("amount", ["-1", "0", "NaN", "1e400", "12,5", "0.0000000001", "9" * 30])
def test_amounts_that_are_no_money_are_refused_before_anything_is_sent(
    kt: Kt, api: FakeApi, amount: str
) -> None:
    outcome = kt("wallets", "allocate", "--team", "engineering", f"--amount={amount}")
    assert outcome.code == 1
    assert outcome.err.startswith("kt: amount: must ")
    assert api.requests == []


def test_database_that_does_not_answer_is_one_line(tmp_path: Path) -> None:
    url = "postgres://nobody@127.0.0.1:1/none"
    outcome = processes.kt(
        "ledger", "verify", cwd=tmp_path, env=processes.environment(DATABASE_URL=url)
    )
    assert outcome.returncode == 1
    assert outcome.stderr.splitlines()[-1].startswith("kt: the database does not answer: ")
    assert "Traceback" not in outcome.stderr


def test_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    with processes.running(
        "sh", "-c", f"{sys.executable} -m keeptrusts.kt --help | head -n 1", cwd=tmp_path
    ) as pipeline:
        assert pipeline.process.wait(timeout=60) == 0
    assert pipeline.text() == "Usage: kt [OPTIONS] COMMAND [ARGS]...\n"


def test_help_loads_nothing_heavy() -> None:
    import subprocess

    program = (
        "import sys; from keeptrusts.kt.app import run; code = run(['--help']); "
        "heavy = {'django', 'pydantic', 'aiohttp', 'uvicorn', 'celery'} & set(sys.modules); "
        "sys.exit(repr(heavy) if heavy or code else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=processes.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: kt ")
