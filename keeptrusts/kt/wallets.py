"""`kt wallets`: list wallets and move money between them, through the API."""

import uuid
from decimal import Decimal
from typing import Any

import typer

from keeptrusts.kt import output
from keeptrusts.lib import money

commands = typer.Typer(no_args_is_help=True, help="Wallets and the money in them.")

TEAM = typer.Option("", help="Slug of the team.")
USER = typer.Option("", help="User name or id of a person in the team.")
AMOUNT = typer.Option(..., help="US dollars, for example 12.50.")
NOTES = typer.Option("", "--notes", "--description", help="Kept with the ledger entry.")
ONCE = typer.Option("", "--idempotency-key", help="Repeat a call safely with the same key.")
AS_JSON = typer.Option(False, "--json", help="Print JSON.")


@commands.command("list")
def list_wallets(as_json: bool = AS_JSON) -> None:
    """List the wallets you may see."""
    from keeptrusts.kt.client import Client

    wallets = list(Client().pages("/v1/wallets"))
    if as_json:
        output.line(output.as_json(wallets))
        return
    headers = ("SCOPE", "NAME", "BALANCE", "RESERVED", "ALLOCATED", "SPENT", "STATUS", "ID")
    right = ("BALANCE", "RESERVED", "ALLOCATED", "SPENT")
    output.table(headers, [_row(wallet) for wallet in wallets], right=right)


def _row(wallet: dict[str, Any]) -> tuple[str, ...]:
    amounts = ("balance", "reserved", "total_allocated", "total_spent")
    status = f"{wallet['status']}, frozen" if wallet["frozen"] else wallet["status"]
    return (
        wallet["scope"],
        wallet["name"],
        *(output.dollars(wallet[name]) for name in amounts),
        status,
        wallet["id"],
    )


@commands.command("allocate")
def allocate(
    team: str = TEAM,
    user: str = USER,
    amount: str = AMOUNT,
    notes: str = NOTES,
    once: str = ONCE,
    as_json: bool = AS_JSON,
) -> None:
    """Add money: from the organisation to a team, or from a team to a person."""
    body = _target(team, user) | {"amount": money.parse(amount), "currency": "USD"}
    _post("allocate", body, notes=notes, once=once, as_json=as_json)


@commands.command("reclaim")
def reclaim(
    team: str = TEAM,
    user: str = USER,
    amount: str = typer.Option(..., help="US dollars, or all."),
    notes: str = NOTES,
    once: str = ONCE,
    as_json: bool = AS_JSON,
) -> None:
    """Take money back: from a team to the organisation, or from a person to the team."""
    wanted: Decimal | str = amount if amount == "all" else money.parse(amount)
    body = _target(team, user) | {"amount": wanted, "currency": "USD"}
    _post("reclaim", body, notes=notes, once=once, as_json=as_json)


@commands.command("credit")
def credit(
    amount: str = AMOUNT,
    notes: str = typer.Option(..., "--notes", "--description", help="The reason; required."),
    organization: str = typer.Option("", help="Organisation id; platform tokens must give it."),
    expires_at: str = typer.Option("", help="When what is unused leaves again."),
    once: str = ONCE,
    as_json: bool = AS_JSON,
) -> None:
    """Put money into the organisation wallet, where the funding mode allows it."""
    body: dict[str, Any] = {"amount": money.parse(amount), "currency": "USD"}
    body |= {"organization_id": organization} if organization else {}
    body |= {"expires_at": expires_at} if expires_at else {}
    _post("credit", body, notes=notes, once=once, as_json=as_json)


def _target(team: str, user: str) -> dict[str, Any]:
    if not team and not user:
        raise typer.BadParameter("give --team, or --user with the team of a person")
    target = {"team_id": team if team.startswith("team_") else f"team_{team}"} if team else {}
    return target | ({"user_id": user} if user else {})


def _post(operation: str, body: dict[str, Any], *, notes: str, once: str, as_json: bool) -> None:
    from keeptrusts.kt.client import Client

    body |= {"description": notes} if notes else {}
    answer = Client().post(f"/v1/wallets/{operation}", body, once=once or str(uuid.uuid4()))
    if as_json:
        output.line(output.as_json(answer))
        return
    output.line(f"{operation}: {_amount(body['amount'])} done")


def _amount(amount: Decimal | str) -> str:
    return amount if isinstance(amount, str) else output.dollars(amount)
