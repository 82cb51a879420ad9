"""`kt policy lint`: the file of the tutorial passes, a broken one is explained line by line."""

import shutil
from pathlib import Path

import pytest

from tests.kt import databases, processes
from tests.kt.conftest import Kt

TUTORIAL = Path(__file__).resolve().parents[1] / "fixtures" / "policies" / "tutorial-002.yaml"


@pytest.fixture
def tutorial(kt: Kt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tutorial's file in the working folder, with the variables it names."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("KEEPTRUSTS_API_TOKEN", "kt_live_test")
    return Path(shutil.copy(TUTORIAL, tmp_path / "policy-config.yaml"))


def test_the_file_of_the_tutorial_passes(kt: Kt, tutorial: Path) -> None:
    outcome = kt("policy", "lint", "--file", "policy-config.yaml")
    assert outcome.code == 0
    *_, note, last = outcome.out.splitlines()
    assert note == "note: teams and organization were not checked: no database"
    assert last.startswith("policy-config.yaml: ok")
    assert outcome.err == ""


@pytest.mark.slow
def test_a_database_at_hand_is_asked(tmp_path: Path) -> None:
    env = databases.stranger(tmp_path)
    databases.prepare(tmp_path, env)
    policy = Path(shutil.copy(TUTORIAL, tmp_path / "policy-config.yaml"))
    passed = processes.kt("policy", "lint", cwd=tmp_path, env=env)
    assert (passed.returncode, "not checked" in passed.stdout) == (0, False)
    assert passed.stderr == (
        "kt: warning: KEEPTRUSTS_API_TOKEN is set, but not to a valid API token of this database\n"
    )
    policy.write_text(policy.read_text() + "organization: acne\n")
    refused = processes.kt("policy", "lint", cwd=tmp_path, env=env)
    assert refused.returncode == 1
    assert "error: there is no organization 'acne' (did you mean 'acme'?)" in refused.stdout


def test_an_error_names_file_line_and_suggestion(kt: Kt, tutorial: Path) -> None:
    lines = tutorial.read_text().splitlines()
    number = next(i for i, line in enumerate(lines, start=1) if "cost_tracking:" in line)
    tutorial.write_text("\n".join(lines).replace("cost_tracking:", "cost_trackin:"))
    outcome = kt("policy", "lint", "--file", "policy-config.yaml")
    assert outcome.code == 1
    assert f"policy-config.yaml:{number}:1: error: " in outcome.out
    assert "did you mean 'cost_tracking'?" in outcome.out
    assert outcome.err == "kt: policy-config.yaml: 1 error\n"


def test_a_missing_variable_is_an_error(
    kt: Kt, tutorial: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    outcome = kt("policy", "lint", "--file", "policy-config.yaml")
    assert outcome.code == 1
    assert "environment variable OPENAI_API_KEY is not set" in outcome.out


def test_a_missing_file_is_an_error(kt: Kt) -> None:
    outcome = kt("policy", "lint", "--file", "nowhere.yaml")
    assert outcome.code == 1
    assert outcome.out == (
        "nowhere.yaml:1:1: error: cannot read the file: No such file or directory\n"
    )
    assert outcome.err == "kt: nowhere.yaml: 1 error\n"


def test_what_init_writes_passes(kt: Kt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("ENGINEERING_GATEWAY_KEY", "kt_cg_test")
    monkeypatch.setenv("KEEPTRUSTS_API_TOKEN", "kt_live_test")
    assert kt("init").code == 0
    assert kt("policy", "lint").code == 0


def test_init_replaces_nothing(kt: Kt, tmp_path: Path) -> None:
    (tmp_path / "policy-config.yaml").write_text("mine")
    outcome = kt("init")
    assert outcome.code == 1
    assert outcome.err.startswith("kt: policy-config.yaml is there already: ")
    assert (tmp_path / "policy-config.yaml").read_text() == "mine"
