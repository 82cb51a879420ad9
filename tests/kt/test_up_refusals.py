"""What keeps `kt up` from starting is one line, and nothing has been started or written then."""

import sys
from pathlib import Path

import pytest

from keeptrusts.supervisor import ports
from tests.kt.conftest import Kt
from tests.kt.processes import running


@pytest.mark.parametrize("option", ["--port", "--gateway-port"])
def test_taken_port(kt: Kt, tmp_path: Path, option: str) -> None:
    free, other = ports.unused(), {"--port": "--gateway-port", "--gateway-port": "--port"}[option]
    with ports.listening("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        outcome = kt("up", option, str(port), other, str(free))
    assert outcome.code == 1
    assert outcome.err == f"kt: port {port} on 127.0.0.1 is taken by another program\n"
    assert list(tmp_path.iterdir()) == []


def test_one_port_for_two(kt: Kt, tmp_path: Path) -> None:
    outcome = kt("up", "--port", "4999", "--gateway-port", "4999")
    assert outcome.code == 1
    assert outcome.err == "kt: console and gateway cannot share port 4999: give two ports\n"
    assert list(tmp_path.iterdir()) == []


def test_upstream_that_is_no_address(kt: Kt, tmp_path: Path) -> None:
    outcome = kt("up", "--upstream", "api.example.com")
    assert outcome.code == 1
    assert outcome.err == "kt: --upstream 'api.example.com' is no http:// or https:// address\n"
    assert list(tmp_path.iterdir()) == []


def test_an_upstream_without_a_key_is_warned_of(kt: Kt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    outcome = kt("up", "--upstream", "http://x.example", "--port", "1", "--gateway-port", "1")
    assert outcome.err.splitlines() == [
        "kt: warning: OPENAI_API_KEY is not set: --upstream is called without a key",
        "kt: console and gateway cannot share port 1: give two ports",
    ]


def test_data_directory_in_use(kt: Kt, tmp_path: Path) -> None:
    program = (
        "import pathlib, signal, sys; from keeptrusts.kt import locks; "
        "locks.hold(pathlib.Path('up.lock'), 'x'); print('held', flush=True); signal.pause()"
    )
    with running(sys.executable, "-c", program, cwd=tmp_path) as holder:
        holder.until_says("held")
        outcome = kt("up", "--data", str(tmp_path), "--port", str(ports.unused()), "--no-gateway")
    assert outcome.code == 1
    assert outcome.err == f"kt: another `kt up` runs on {tmp_path}: stop it first\n"


def test_a_lock_ends_with_its_holder(tmp_path: Path) -> None:
    program = (
        "import pathlib; from keeptrusts.kt import locks; "
        "locks.hold(pathlib.Path('up.lock'), 'in use'); print('held', flush=True)"
    )
    for _ in range(2):
        with running(sys.executable, "-c", program, cwd=tmp_path) as holder:
            holder.until_says("held")
            assert holder.process.wait(timeout=60) == 0
