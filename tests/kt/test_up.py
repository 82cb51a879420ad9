"""`kt up` as a stranger runs it: a console, an API and a gateway before a real model."""

import json
import re
import signal
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from keeptrusts.supervisor import ports
from tests.kt.processes import Running, environment, kt, lives, running, until

pytestmark = pytest.mark.slow
INPUT, OUTPUT = Decimal("0.0000001"), Decimal("0.0000004")  # US dollars a token
MODEL = "smollm2-135m"


@dataclass(frozen=True)
class Machine:
    """A running `kt up`."""

    process: Running
    folder: Path
    console: str
    gateway: str

    @property
    def demo(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.folder / "data" / "demo.json").read_text())
        return document

    def kt(self, *arguments: str) -> str:
        """Output of a command on this machine's API and data."""
        env = environment(
            KEEPTRUSTS_API_URL=self.console, KEEPTRUSTS_API_TOKEN=self.demo["api_token"]
        )
        outcome = kt(*arguments, cwd=self.folder, env=env)
        assert outcome.returncode == 0, outcome.stderr
        return outcome.stdout

    def complete(self, key: str, **body: Any) -> tuple[dict[str, str], str]:
        """Headers and text of a completion."""
        message = {"role": "user", "content": "Write a short haiku about cloud computing."}
        request = urllib.request.Request(
            f"{self.gateway}/v1/chat/completions",
            json.dumps({"model": MODEL, "messages": [message], "max_tokens": 16, **body}).encode(),
            {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return dict(answer.headers), answer.read().decode()


@contextmanager
def machine(folder: Path, *options: str) -> Iterator[Machine]:
    port, gateway_port = ports.unused(), ports.unused()
    command = ("up", "--port", str(port), "--gateway-port", str(gateway_port), *options)
    with running(sys.executable, "-m", "keeptrusts.kt", *command, cwd=folder) as process:
        process.until_says("Keeptrusts ready: ", seconds=150)
        yield Machine(
            process, folder, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{gateway_port}"
        )


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """One machine for all tests that only use it."""
    with machine(tmp_path_factory.mktemp("machine")) as started:
        yield started


def children_of(pid: int) -> list[int]:
    """Every process below `pid`, at any depth."""
    listed = subprocess.run(
        ["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True
    ).stdout
    parents = [tuple(map(int, line.split())) for line in listed.splitlines()]
    found, level = [], {pid}
    while level := {child for child, parent in parents if parent in level}:
        found += sorted(level)
    return found


def test_says_where_everything_is(up: Machine) -> None:
    lines = up.process.text().splitlines()
    assert lines[-1] == f"Keeptrusts ready: console {up.console} gateway {up.gateway}"
    assert lines[-2] == f"Passwords, keys and tokens of the demo: {up.folder}/data/demo.json"
    assert up.demo["api_token"] in up.process.text()


def test_secrets_and_books_are_for_their_owner_only(up: Machine) -> None:
    for name in ("demo.json", "secrets.env", "keeptrusts.sqlite3", "logs/web.log"):
        assert stat.S_IMODE((up.folder / "data" / name).stat().st_mode) == 0o600, name


def test_a_completion_costs_its_tokens_to_the_nano_dollar(up: Machine) -> None:
    headers, text = up.complete(up.demo["consumer_groups"]["support"])
    usage = json.loads(text)["usage"]
    cost = usage["prompt_tokens"] * INPUT + usage["completion_tokens"] * OUTPUT
    assert Decimal(headers["x-keeptrusts-cost"]) == cost
    spend = json.loads(up.kt("spend", "--team", "support", "--json"), parse_float=Decimal)
    assert spend["spent"] == cost
    assert spend["balance"] == 800 - cost
    assert spend["models"] == [
        {
            "model": MODEL,
            "cost": cost,
            "adjusted": 0,
            "tokens": usage["total_tokens"],
            "requests": 1,
        }
    ]
    (event,) = json.loads(up.kt("events", "tail", "--last", "1", "--json"), parse_float=Decimal)
    assert (event["consumer_group"], event["cost"]) == ("support", cost)
    assert event["usage"]["total_tokens"] == usage["total_tokens"]


def test_a_stream_of_a_personal_key_is_paid_from_the_persons_wallet(up: Machine) -> None:
    _, text = up.complete(up.demo["users"]["member"]["key"], stream=True)
    assert "data: [DONE]" in text
    (event,) = json.loads(up.kt("events", "tail", "--last", "1", "--json"), parse_float=Decimal)
    wallets = json.loads(up.kt("wallets", "list", "--json"), parse_float=Decimal)
    (own,) = [wallet for wallet in wallets if wallet["scope"] == "user"]
    assert event["wallet"] == own["id"]
    assert own["total_spent"] == event["cost"] > 0
    assert own["balance"] == 20 - event["cost"]


def test_the_books_are_right(up: Machine) -> None:
    up.complete(up.demo["consumer_groups"]["engineering"])
    assert re.fullmatch(
        r"checked 5 wallets, \d+ entries, 0 open holds: ok\n", up.kt("ledger", "verify")
    )


def test_a_second_machine_on_the_same_data_is_refused(up: Machine) -> None:
    outcome = kt("up", "--port", str(ports.unused()), "--no-gateway", cwd=up.folder)
    assert outcome.returncode == 1
    assert outcome.stderr.startswith("kt: another `kt up` runs on ")


def test_a_second_gateway_on_sqlite_is_refused(up: Machine) -> None:
    policy = str(up.folder / "data" / "policy-config.yaml")
    port = str(ports.unused())
    outcome = kt("gateway", "run", "--policy-config", policy, "--port", port, cwd=up.folder)
    assert outcome.returncode == 1
    assert "SQLite carries only one" in outcome.stderr


def test_it_stops_and_starts_again_with_the_same_demo(tmp_path: Path) -> None:
    with machine(tmp_path) as first:
        demo = first.demo
        started = children_of(first.process.pid)
        assert len(started) >= 4
        assert first.process.stop(signal.SIGTERM) == 0
        assert not any(lives(pid) for pid in started)
    with machine(tmp_path) as second:
        assert second.demo == demo
        assert demo["api_token"] not in second.process.text()
        second.complete(demo["consumer_groups"]["engineering"])


def test_killed_it_leaves_no_process_behind(tmp_path: Path) -> None:
    with machine(tmp_path) as killed:
        started = children_of(killed.process.pid)
        assert killed.process.stop(signal.SIGKILL) == -signal.SIGKILL
        until(lambda: not any(lives(pid) for pid in started), "children of a killed kt up end")


def test_an_upstream_of_ones_own_takes_any_model_at_the_price_of_openai(tmp_path: Path) -> None:
    port = ports.unused()
    serve = ("model", "serve", "--echo", "--port", str(port))
    with (
        running(sys.executable, "-m", "keeptrusts.kt", *serve, cwd=tmp_path) as server,
        machine(tmp_path, "--upstream", f"http://127.0.0.1:{port}") as started,
    ):
        server.until_says("Model ready: ")
        key = started.demo["consumer_groups"]["engineering"]
        headers, text = started.complete(key, model="gpt-4o-mini")
        usage = json.loads(text)["usage"]
        cost = usage["prompt_tokens"] * Decimal("0.00000015")
        cost += usage["completion_tokens"] * Decimal("0.0000006")
        assert Decimal(headers["x-keeptrusts-cost"]) == cost
        assert "model serve" not in " ".join(commands_of(started.process.pid))


def commands_of(pid: int) -> list[str]:
    """Command lines of everything below `pid`."""
    pids = ",".join(map(str, children_of(pid)))
    shown = subprocess.run(
        ["ps", "-o", "args=", "-p", pids], capture_output=True, text=True, check=True
    )
    return shown.stdout.splitlines()
