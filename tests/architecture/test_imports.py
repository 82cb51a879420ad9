"""The import contract of pyproject.toml holds, and would notice a breach."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APPS = ("alerts", "billing", "gateway", "keeptrusts", "wallets")


def lint(directory: Path) -> subprocess.CompletedProcess[str]:
    program = "import sys; sys.path.insert(0, '.'); from importlinter.cli import import_linter"
    return subprocess.run(
        [sys.executable, "-c", f"{program}; import_linter()", "lint", "--no-cache"],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for app in APPS:
        shutil.copytree(ROOT / app, tmp_path / app, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_contract_holds() -> None:
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("where", "what"),
    [
        ("wallets", "import gateway.apps"),
        ("gateway", "import billing.apps"),
        ("alerts", "import keeptrusts.urls"),
        ("keeptrusts/lib", "import wallets.apps"),
    ],
)
def test_a_breach_is_noticed(copy: Path, where: str, what: str) -> None:
    (copy / where / "breach.py").write_text(f"{what}\n")
    result = lint(copy)
    assert result.returncode == 1
    assert "BROKEN" in result.stdout
