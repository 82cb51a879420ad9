"""docs/gateway.md knows every key of the policy file, and its example lints."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from gateway import policy
from gateway.policy import schema

PAGE = Path("docs/gateway.md").read_text(encoding="utf-8")


def keys_of(section: type[BaseModel]) -> list[str]:
    return list(section.model_fields)


SECTIONS: list[Any] = [
    value
    for value in vars(schema).values()
    if isinstance(value, type) and issubclass(value, schema.Section)
]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_every_key_is_described(section: type[BaseModel]) -> None:
    missing = [key for key in keys_of(section) if f"`{key}`" not in PAGE and f"{key}[]" not in PAGE]
    assert [key for key in missing if f"{key}." not in PAGE] == []


def test_the_example_lints() -> None:
    example = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)[0]
    environ = {
        "OPENAI_API_KEY": "x", "ENGINEERING_KEY": "kt_cg_example", "KEEPTRUSTS_API_TOKEN": "x",
    }  # fmt: skip
    loaded = policy.loads(example, environ)
    assert [group.name for group in loaded.groups] == ["engineering"]
