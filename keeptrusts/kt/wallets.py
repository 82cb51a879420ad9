"""`kt wallets`: list wallets and move money between them, through the API."""

import uuid
from typing import TYPE_CHECKING, Any

import typer

from keeptrusts.kt import names, output
from keeptrusts.lib import money

if TYPE_CHECKING:
    from keeptrusts.kt.client import Client

commands = typer.Typer(no_args_is_help=True, help="Wallets and the money in them.")

DONE = {"allocate": "Allocated", "reclaim": "Reclaimed", "credit": "Credited"}
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
    source: str = typer.Option(
        "", "--from", help="organization or a team; default: the wallet above."
    ),
    notes: str = NOTES,
    once: str = ONCE,
    as_json: bool = AS_JSON,
) -> None:
    """Add money: from the organisation to a team, or from a team to a person."""
    body: dict[str, Any] = {"amount": money.parse(amount)}
    if source:
        known = source == "organization" or source.startswith("wal_")
        body["from"] = source if known else names.team_id(source)
    _move("allocate", body, team=team, user=user, notes=notes, once=once, as_json=as_json)


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
    body = {"amount": amount if amount == "all" else money.parse(amount)}
    _move("reclaim", body, team=team, user=user, notes=notes, once=once, as_json=as_json)


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
    from keeptrusts.kt.client import Client

    body: dict[str, Any] = {"amount": money.parse(amount)}
    body |= {"organization_id": organization} if organization else {}
    body |= {"expires_at": expires_at} if expires_at else {}
    _post(Client(), "credit", body, notes=notes, once=once, as_json=as_json)


def _move(
    operation: str,
    body: dict[str, Any],
    *,
    team: str,
    user: str,
    notes: str,
    once: str,
    as_json: bool,
) -> None:
    if not team and not user:
        raise typer.BadParameter("give --team, or --user with the team of a person")
    from keeptrusts.kt.client import Client

    client = Client()
    body |= {"team_id": names.team_id(team)} if team else {}
    body |= {"user_id": names.user_id(client, user)} if user else {}
    _post(client, operation, body, notes=notes, once=once, as_json=as_json)


def _post(
    client: "Client",
    operation: str,
    body: dict[str, Any],
    *,
    notes: str,
    once: str,
    as_json: bool,
) -> None:
    body |= {"currency": "USD"}
    body |= {"description": notes} if notes else {}
    answer = client.post(f"/v1/wallets/{operation}", body, once=once or str(uuid.uuid4()))
    if as_json:
        output.line(output.as_json(answer))
        return
    amount, balance = output.dollars(answer["amount"]), output.dollars(answer["balance"])
    output.line(f"{DONE[operation]} {amount}; balance of {answer['wallet']}: {balance}")
