"""`kt tickets`: cost tickets, through the API."""

import uuid
from typing import Any

import typer

from keeptrusts.kt import output
from keeptrusts.lib import money

commands = typer.Typer(no_args_is_help=True, help="Requests that a wallet could not pay.")

TICKET = typer.Argument(help="Id of the ticket, tkt_….")
NOTE = typer.Option("", help="Why; kept with the ticket.")
AS_JSON = typer.Option(False, "--json", help="Print JSON.")


@commands.command("list")
def list_tickets(
    state: str = typer.Option("open", help="open, approved, dismissed, expired, or all."),
    team: str = typer.Option("", help="Slug of one team."),
    as_json: bool = AS_JSON,
) -> None:
    """List cost tickets, newest first: who waits, and what is missing."""
    from keeptrusts.kt.client import Client

    query = {"state": "" if state == "all" else state, "team": team}
    tickets = list(Client().pages("/v1/cost-tickets", query))
    if as_json:
        output.line(output.as_json(tickets))
        return
    headers = ("ID", "TEAM", "USER", "STATE", "REASON", "MISSING", "REQUESTS", "WAITING", "LAST")
    right = ("MISSING", "REQUESTS", "WAITING")
    output.table(headers, [_row(ticket) for ticket in tickets], right=right)


def _row(ticket: dict[str, Any]) -> tuple[str, ...]:
    return (
        ticket["id"],
        ticket["team_id"].removeprefix("team_"),
        ticket["user_id"] or "-",
        ticket["state"],
        ticket["reason"],
        output.dollars(ticket["missing"]),
        str(ticket["requests"]),
        str(ticket["waiting"]),
        ticket["last_at"],
    )


@commands.command("approve")
def approve(
    ticket: str = TICKET,
    amount: str = typer.Option("", help="US dollars; default: what is missing now."),
    note: str = NOTE,
    once: str = typer.Option(
        "", "--idempotency-key", help="Repeat a call safely with the same key."
    ),
    as_json: bool = AS_JSON,
) -> None:
    """Move the missing money from the wallet above; those who wait go on, oldest first."""
    from keeptrusts.kt.client import Client

    body: dict[str, Any] = {"note": note}
    body |= {"amount": money.parse(amount)} if amount else {}
    once = once or str(uuid.uuid4())
    answer = Client().post(f"/v1/cost-tickets/{ticket}/approve", body, once=once)
    if as_json:
        output.line(output.as_json(answer))
        return
    moved = output.dollars(answer["amount"])
    served = output.count(answer["served"], "waiting request")
    if answer["state"] == "open":
        waiting = output.count(answer["waiting"], "request")
        missing = output.dollars(answer["missing"])
        output.line(
            f"{ticket} stays open: moved {moved} so far, {served} went on; still waiting: "
            f"{waiting}, missing {missing}"
        )
        return
    output.line(f"Approved {ticket}: moved {moved}, {served} went on")


@commands.command("dismiss")
def dismiss(ticket: str = TICKET, note: str = NOTE, as_json: bool = AS_JSON) -> None:
    """Refuse: those who wait get their 402 at once; no money moves."""
    from keeptrusts.kt.client import Client

    answer = Client().post(f"/v1/cost-tickets/{ticket}/dismiss", {"note": note})
    output.line(output.as_json(answer) if as_json else f"Dismissed {ticket}")
