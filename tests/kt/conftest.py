"""Fixtures of the command line's tests."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from keeptrusts.kt.app import run
from tests.kt import fake_api


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str


Kt = Callable[..., Outcome]


@pytest.fixture
def kt(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Kt:
    """Runs a `kt` command in this process, in an empty folder, without any setting."""
    monkeypatch.chdir(tmp_path)
    for name in ("KEEPTRUSTS_API_URL", "KEEPTRUSTS_API_TOKEN", "DATABASE_URL", "KEEPTRUSTS_DATA"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: str) -> Outcome:
        capsys.readouterr()
        code = run(arguments)
        written = capsys.readouterr()
        return Outcome(code, written.out, written.err)

    return call


@pytest.fixture
def api(kt: Kt, monkeypatch: pytest.MonkeyPatch) -> Iterator[fake_api.FakeApi]:
    """A fake API that the commands of this test talk to."""
    with fake_api.serving() as server:
        monkeypatch.setenv("KEEPTRUSTS_API_URL", server.url)
        monkeypatch.setenv("KEEPTRUSTS_API_TOKEN", fake_api.TOKEN)
        yield server
