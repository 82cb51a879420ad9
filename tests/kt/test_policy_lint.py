"""`kt policy lint`: the file of the tutorial passes, a broken one is explained line by line."""

import shutil
from pathlib import Path

import pytest

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
    assert outcome.out.splitlines()[-1].startswith("policy-config.yaml: ok")
    assert outcome.err == ""


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
