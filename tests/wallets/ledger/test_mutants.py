"""Takes one guard at a time out of a copy of the project: the test named for it must fail."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.wallets.ledger.mutants import MUTANTS, Mutant

ROOT = Path(__file__).parents[3]
HERE = "tests/wallets/ledger/"
SETTINGS = """
[pytest]
addopts = -p tests.plugins.engines -p pytest_django.plugin --import-mode=importlib
"""
"""Only the plugins these tests need: loading all of them takes longer than the tests."""
SAW_IT = 1
"""pytest's exit code where tests ran and one failed; errors of collection are 2 and more."""

pytestmark = pytest.mark.slow


def copy_of_the_project(directory: Path) -> Path:
    """The project with files of its own below ``wallets``; the rest is linked."""
    for name in ("alerts", "billing", "gateway", "keeptrusts", "templates", "static", "tests"):
        if (ROOT / name).exists():
            (directory / name).symlink_to(ROOT / name)
    (directory / "pytest.ini").write_text(SETTINGS)
    shutil.copytree(ROOT / "wallets", directory / "wallets")
    return directory


def run(directory: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    own = ("PYTEST_", "KEEPTRUSTS_", "DATABASE_URL", "DJANGO_", "COV_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(own)}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--no-migrations"]
    return subprocess.run(
        [*command, "-x", "-q", *(HERE + test for test in tests)],
        cwd=directory,
        env={**environment, "PYTHONPATH": str(directory), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )


def mutate(directory: Path, mutant: Mutant) -> None:
    file = directory / "wallets" / mutant.file
    text = file.read_text()
    assert text.count(mutant.was) == 1, f"{mutant.file} no longer says {mutant.was!r} once"
    file.write_text(text.replace(mutant.was, mutant.becomes))


def test_the_copy_itself_passes(tmp_path: Path) -> None:
    tests = sorted({mutant.seen_by for mutant in MUTANTS.values()})
    done = run(copy_of_the_project(tmp_path), *tests)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_mutant_changes_what_is_there(tmp_path: Path) -> None:
    directory = copy_of_the_project(tmp_path)
    for mutant in MUTANTS.values():
        before = (directory / "wallets" / mutant.file).read_text()
        mutate(directory, mutant)
        (directory / "wallets" / mutant.file).write_text(before)


FEW = 4
"""One mutant in so many is tried by every run, all of them by ``make mutants``."""
TRIED = [
    name if number % FEW == 0 else pytest.param(name, marks=pytest.mark.long)
    for number, name in enumerate(MUTANTS)
]


@pytest.mark.parametrize("name", TRIED)
def test_a_missing_guard_is_noticed(tmp_path: Path, name: str) -> None:
    mutant = MUTANTS[name]
    mutate(copy_of_the_project(tmp_path), mutant)
    done = run(tmp_path, mutant.seen_by)
    assert done.returncode == SAW_IT, done.stdout + done.stderr
