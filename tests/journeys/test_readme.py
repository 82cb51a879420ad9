"""Every command of the README, as it stands there, on a machine started by its first one."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from keeptrusts.supervisor import ports
from tests.kt.processes import environment, running

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MARKED = re.compile(r"<!-- test: (\w+) -->\n```\w+\n(.*?)```", re.DOTALL)
BLOCKS = dict(MARKED.findall(README))
ALL_BLOCKS = re.findall(r"```\w+\n(.*?)```", README, re.DOTALL)


class Reader:
    """Somebody who types the README's commands; only the ports are other ones."""

    def __init__(self, folder: Path, port: int, gateway_port: int) -> None:
        self.folder = folder
        self._ports = {"127.0.0.1:8080": f"127.0.0.1:{port}"}
        self._ports["127.0.0.1:41002"] = f"127.0.0.1:{gateway_port}"

    def types(self, name: str) -> str:
        """What a block prints; fails when one of its commands does."""
        text = BLOCKS[name].replace(".venv/bin/", f"{Path(sys.executable).parent}/")
        for ours, theirs in self._ports.items():
            text = text.replace(ours, theirs)
        shell = [sys.executable, "-c", text] if "import " in text[:10] else ["sh", "-ec", text]
        outcome = subprocess.run(
            shell, cwd=self.folder, env=environment(), capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
        assert outcome.returncode == 0, outcome.stderr
        return outcome.stdout


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    folder = tmp_path_factory.mktemp("reader")
    port, gateway_port = ports.unused(), ports.unused()
    command = ("up", "--port", str(port), "--gateway-port", str(gateway_port))
    with running(sys.executable, "-m", "keeptrusts.kt", *command, cwd=folder) as machine:
        machine.until_says("Keeptrusts ready: ", seconds=150)
        yield Reader(folder, port, gateway_port)


def test_the_completion_answers(reader: Reader) -> None:
    assert '"total_tokens"' in reader.types("completion")


def test_the_sdk_answers(reader: Reader) -> None:
    assert re.search(r" \d+$", reader.types("sdk").strip())


def test_spend_and_books_are_shown(reader: Reader) -> None:
    reader.types("completion")
    printed = reader.types("spend")
    assert "Team: engineering\n" in printed
    assert '"consumer_group": "engineering"' in printed
    assert re.search(r"checked 5 wallets, \d+ entries, 0 open holds: ok", printed)


@pytest.mark.parametrize("block", [b for b in ALL_BLOCKS if b.startswith("make ")])
def test_make_commands_lead_where_the_readme_says(block: str) -> None:
    command = block.strip().removeprefix("make ").split(" ", 1)
    arguments = [command[0], *(part.replace('"', "") for part in command[1:])]
    plan = subprocess.run(
        ["make", "--dry-run", "--always-make", *arguments], cwd=ROOT, capture_output=True,
        text=True, check=True, env={**os.environ, "MAKEFLAGS": ""},
    ).stdout  # fmt: skip
    expected = {"run": ".venv/bin/kt up", "test": "--engine=postgres"}[command[0]]
    assert expected in plan
    assert all(part.partition("=")[2] in plan for part in arguments[1:])


def test_every_block_is_run() -> None:
    make = [block for block in ALL_BLOCKS if block.startswith("make ")]
    assert len(ALL_BLOCKS) == len(BLOCKS) + len(make) - len(
        [block for block in BLOCKS.values() if block.startswith("make ")]
    )


def test_linked_files_exist() -> None:
    links = re.findall(r"\]\(((?!http)[^)#]+)\)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []
