"""docs/kt.md names every command of `kt`."""

from pathlib import Path

import typer.main

from keeptrusts.kt.app import root

PAGE = Path("docs/kt.md").read_text(encoding="utf-8")


def commands(group: object, prefix: str = "kt") -> list[str]:
    found = []
    for name, command in getattr(group, "commands", {}).items():
        below = commands(command, f"{prefix} {name}")
        found += below or [f"{prefix} {name}"]
    return found


def test_every_command_is_named() -> None:
    known = commands(typer.main.get_command(root))
    shown = PAGE.replace("`allocate`", "`kt wallets allocate`")
    shown = shown.replace("`reclaim`", "`kt wallets reclaim`").replace(
        "`credit`", "`kt wallets credit`"
    )
    assert known
    assert [command for command in known if f"`{command}" not in shown] == []
