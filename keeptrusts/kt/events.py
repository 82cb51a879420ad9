"""`kt events`: the decision events of the gateway, one per request."""

import csv
import sys
from collections.abc import Iterable
from enum import StrEnum
from itertools import chain, islice
from pathlib import Path
from typing import Annotated, Any, TextIO
from urllib.parse import quote

import typer

from keeptrusts.kt import following, output
from keeptrusts.kt.moments import moment

commands = typer.Typer(no_args_is_help=True, help="Decision events: one per request.")

PAGE = 100
HEADERS = ("TIME", "GROUP", "MODEL", "VERDICT", "REASON", "TOKENS", "COST")
EXPORTED = (
    "id",
    "created_at",
    "consumer_group",
    "team_id",
    "user_id",
    "provider",
    "model",
    "route",
    "verdict",
    "reason_code",
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "cost",
    "hold",
    "written_off",
    "estimated_avoided_cost",
    "latency_ms",
    "wallet",
)


class Format(StrEnum):
    """How events are printed."""

    TABLE = "table"
    JSON = "json"


class FileFormat(StrEnum):
    """How events are exported."""

    CSV = "csv"
    JSONL = "jsonl"


class Verdict(StrEnum):
    """What became of a request."""

    ALLOW = "allow"
    BLOCK = "block"
    CACHED = "cached"
    ERROR = "error"


VERDICT = typer.Option(None, help="Only events of this verdict.")
SINCE = typer.Option(
    "", help="Only events from this time on: 2026-04-01T00:00:00Z, or 30m, 1h, 2d ago."
)


@commands.command("tail")
def tail(
    last: int = typer.Option(10, "--last", "--limit", min=1, max=10_000, help="How many events."),
    follow: bool = typer.Option(False, "--follow", "-f", help="Go on with new events."),
    since: str = SINCE,
    verdict: Verdict | None = VERDICT,
    form: Annotated[Format, typer.Option("--format", help="table or json.")] = Format.TABLE,
    as_json: bool = typer.Option(False, "--json", help="The same as --format json."),
) -> None:
    """Print the newest events, oldest first; the last line is the newest."""
    from keeptrusts.kt.client import Client

    client = Client()
    as_json = as_json or form is Format.JSON
    known = following.Known(client, verdict=verdict or "") if follow else None
    query = {"since": moment(since), "verdict": verdict or "", "limit": min(last, PAGE)}
    events = list(islice(client.pages("/v1/events", query), last))[::-1]
    if known is None:
        _print(events, as_json=as_json)
        return
    for event in chain(known.noting(events), known.arriving()):
        _print_line(event, as_json=as_json)


def _print(events: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        output.line(output.as_json(events))
    else:
        _table(events)


def _table(events: list[dict[str, Any]]) -> None:
    """Flags and written-off money have columns where an event has any."""
    columns = [column for column in SOMETIMES if any(column[1](event) for event in events)]
    headers = (*HEADERS, *(name for name, _ in columns))
    rows = [(*_row(event), *(cell(event) or "-" for _, cell in columns)) for event in events]
    output.table(headers, rows, right=("TOKENS", "COST", "WRITTEN OFF"))


def _flags(event: dict[str, Any]) -> str:
    return ",".join(event.get("flags") or ())


def _written_off(event: dict[str, Any]) -> str:
    amount = event.get("written_off")
    return output.dollars(amount) if amount else ""


SOMETIMES = (("WRITTEN OFF", _written_off), ("FLAGS", _flags))


def _row(event: dict[str, Any]) -> tuple[str, ...]:
    return (
        event["created_at"],
        event["consumer_group"] or "-",
        event["model"] or "-",
        event["verdict"],
        event["reason_code"] or "-",
        str(event["usage"]["total_tokens"]),
        output.dollars(event["cost"]),
    )


def _print_line(event: dict[str, Any], *, as_json: bool) -> None:
    extra = [cell(event) for _, cell in SOMETIMES if cell(event)]
    plain = "  ".join((*_row(event), *extra))
    output.line(output.as_json(event, indent=False) if as_json else plain)


@commands.command("show")
def show(
    event_id: str = typer.Argument(metavar="ID", help="A request id: x-keeptrusts-request-id."),
    as_json: bool = typer.Option(False, "--json", help="As the API says it."),
) -> None:
    """Print the receipt of one request: who, what, which wallet, and how its cost came about."""
    from keeptrusts.kt import receipts
    from keeptrusts.kt.client import Client

    found = Client().get(f"/v1/events/{quote(event_id, safe='')}")
    for text in [output.as_json(found)] if as_json else receipts.lines(found):
        output.line(text)


@commands.command("export")
def export(
    since: str = SINCE,
    until: str = typer.Option("", help="Only events before this time."),
    verdict: Verdict | None = VERDICT,
    form: Annotated[FileFormat, typer.Option("--format", help="csv or jsonl.")] = FileFormat.CSV,
    file: Annotated[Path | None, typer.Option("--output", "-o", help="Default: stdout.")] = None,
) -> None:
    """Write all events of a time range, newest first."""
    from keeptrusts.kt.client import Client

    times = {"since": moment(since), "until": moment(until)}
    query = {**times, "verdict": verdict or "", "limit": PAGE}
    events = Client().pages("/v1/events", query)
    write = _write_csv if form is FileFormat.CSV else _write_jsonl
    if file is None:
        write(events, sys.stdout)
        return
    with file.open("w", encoding="utf-8", newline="") as stream:
        number = write(events, stream)
    typer.echo(f"Wrote {output.count(number, 'event')} to {file}", err=True)


def _write_jsonl(events: Iterable[dict[str, Any]], stream: TextIO) -> int:
    number = 0
    for event in events:
        stream.write(output.as_json(event, indent=False) + "\n")
        number += 1
    return number


def _write_csv(events: Iterable[dict[str, Any]], stream: TextIO) -> int:
    writer = csv.DictWriter(stream, EXPORTED, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    number = 0
    for event in events:
        flat = {**event, **event["usage"]}
        writer.writerow({name: _cell(flat.get(name)) for name in EXPORTED})
        number += 1
    return number


def _cell(value: Any) -> str:
    """A cell; a leading character that a spreadsheet would run as a formula is made harmless."""
    text = "" if value is None else output.plain(value)
    return f"'{text}" if text[:1] in ("=", "+", "@", "\t", "\r") else text
