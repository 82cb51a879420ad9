"""docs/settings.md lists the variables the project reads, no more and no fewer."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APPS = ("alerts", "billing", "gateway", "keeptrusts", "wallets")
READERS = {"text", "choice", "flag", "integer", "words", "url", "database"}
# Passed from a supervisor to its own children; nobody sets them.
INTERNAL = {"KEEPTRUSTS_LIFELINE_FD", "KEEPTRUSTS_LIFELINE_PARENT"}
PREFIXED = re.compile(r"KEEPTRUSTS_[A-Z_]*[A-Z]")


def documented() -> tuple[set[str], set[str]]:
    text = (ROOT / "docs" / "settings.md").read_text()
    settings, others = text.split("\n## Read by", 1)
    row = re.compile(r"^\| `([A-Z_]+)` \|", re.MULTILINE)
    return set(row.findall(settings)), set(row.findall(others))


def read_by_settings() -> set[str]:
    tree = ast.parse((ROOT / "keeptrusts" / "settings.py").read_text())
    return {
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in READERS
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "env"
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    }


def prefixed_strings() -> Iterator[str]:
    """Every string in the code that is the name of a variable of ours."""
    for path in (path for app in APPS for path in (ROOT / app).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            value = node.value if isinstance(node, ast.Constant) else None
            if isinstance(value, str) and PREFIXED.fullmatch(value):
                yield value


def test_the_table_lists_what_settings_reads() -> None:
    settings, _others = documented()
    assert settings == read_by_settings()


def test_every_variable_of_ours_is_documented() -> None:
    settings, others = documented()
    assert set(prefixed_strings()) - INTERNAL <= settings | others
