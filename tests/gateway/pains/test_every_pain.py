"""Every pain known of other gateways has a test here, or the page says why it cannot occur."""

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = Path("docs/gateway.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (\d+) \| .+ \| (.+) \|$", re.MULTILINE)
WITHOUT_A_TEST = "no payments yet"


def _tested() -> set[int]:
    texts = [path.read_text(encoding="utf-8") for path in HERE.glob("test_*.py")]
    return {int(number) for text in texts for number in re.findall(r"def test_pain_(\d\d)_", text)}


def _described() -> dict[int, str]:
    section = PAGE.split("## Pains of other gateways")[1].split("\n## ")[0]
    return {int(number): said for number, said in ROW.findall(section)}


def test_the_page_lists_all_of_them() -> None:
    assert list(_described()) == list(range(1, 26))


def test_each_is_tested_or_cannot_occur() -> None:
    untested = {number for number, said in _described().items() if said.startswith(WITHOUT_A_TEST)}

    assert _tested() | untested == set(range(1, 26))
    assert not _tested() & untested
