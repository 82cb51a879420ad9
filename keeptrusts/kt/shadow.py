"""`kt shadow`: what wallets would have refused, had they been enforced."""

import re
from typing import Any

import typer

from keeptrusts.kt import output
from keeptrusts.kt.moments import moment

commands = typer.Typer(no_args_is_help=True, help="What shadow mode would have refused.")


NO_MODEL = "(no model)"
FRACTION = re.compile(r"\.\d+")


@commands.callback()
def shadow() -> None:
    """A group, though it has one command."""


@commands.command("report")
def report(
    team: str = typer.Option("", help="Slug of one team; default: all you may see."),
    since: str = typer.Option("7d", help="How long ago (7d, 12h) or a time; at most 92 days."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Sum up what enforcement would have refused: by code, team and group, and model."""
    from keeptrusts.kt.client import Client

    found = Client().get("/v1/shadow-report", {"team": team, "since": moment(since)})
    if as_json:
        output.line(output.as_json(found))
        return
    _show_total(found)
    _show("CODE", [(row["code"], row) for row in found["by_code"]])
    _show("TEAM / GROUP", [(_consumer(row), row) for row in found["by_consumer"]])
    _show("MODEL", [(row["model"] or NO_MODEL, row) for row in found["by_model"]])


def _show_total(found: dict[str, Any]) -> None:
    output.line(f"Period: {_second(found['since'])} to {_second(found['until'])}")
    output.line(f"Requests: {found['requests']:,}")
    output.line(f"Would have been refused: {found['would_refuse']:,}")
    output.line(f"Cost of what would have passed: {output.dollars(found['cost_passed'])}")
    output.line(f"Cost of what would have been refused: {output.dollars(found['cost_refused'])}")
    if found["would_refuse"]:
        output.line(f"First: {_second(found['first_at'])}")
        output.line(f"Last: {_second(found['last_at'])}")


def _second(time: str) -> str:
    """Without the part of a second."""
    return FRACTION.sub("", time)


def _consumer(row: dict[str, Any]) -> str:
    team = (row["team_id"] or "-").removeprefix("team_")
    return f"{team} / {row['consumer_group'] or '-'}"


def _show(title: str, rows: list[tuple[str, dict[str, Any]]]) -> None:
    if not rows:
        return
    output.line()
    headers = (title, "REQUESTS", "WOULD REFUSE", "COST PASSED", "COST REFUSED")
    cells = [
        (
            name,
            f"{row['requests']:,}",
            f"{row['would_refuse']:,}",
            output.dollars(row["cost_passed"]),
            output.dollars(row["cost_refused"]),
        )
        for name, row in rows
    ]
    output.table(headers, cells, right=headers[1:])
