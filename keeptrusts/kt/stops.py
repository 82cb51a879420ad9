"""`kt stop` and `kt resume`: the switches that refuse new requests within seconds."""

from enum import StrEnum
from typing import TYPE_CHECKING

import typer

from keeptrusts.kt import myself, names, output
from keeptrusts.kt.errors import Failure

if TYPE_CHECKING:
    from keeptrusts.kt.client import Client


class Scope(StrEnum):
    """What can be stopped."""

    KEY = "key"
    CONSUMER_GROUP = "consumer_group"
    USER = "user"
    TEAM = "team"
    ORGANIZATION = "organization"
    MODEL = "model"
    PROVIDER = "provider"


SCOPE = typer.Argument(help="What kind of thing.")
TARGET = typer.Argument(help="Its id or name, for example engineering or gpt-4o-mini.")


def stop(
    scope: Scope = SCOPE,
    target: str = TARGET,
    reason: str = typer.Option("", help="Why; shown to those who are refused (200 characters)."),
    cut: bool = typer.Option(False, help="Cut running requests at once too."),
) -> None:
    """Refuse new requests of a key, group, user, team, organization, model or provider."""
    from keeptrusts.kt.client import Client

    client = Client()
    wanted = _id(client, scope, target)
    shown = names.shown(target)
    body = {"scope": scope.value, "target": wanted, "reason": reason, "cut": cut}
    answer = client.post("/v1/stops", body)
    output.line(f"Stopped {scope} {shown} ({answer['id']})")
    output.line(f"Lift it with: {myself.command()} resume {scope} {shown}")


def resume(scope: Scope = SCOPE, target: str = TARGET) -> None:
    """Lift a stop."""
    from keeptrusts.kt.client import Client

    client, shown = Client(), names.shown(target)
    query = {"scope": scope.value, "target": _id(client, scope, target)}
    found = list(client.pages("/v1/stops", query))
    if not found:
        raise Failure(f"{scope} {shown} is not stopped")
    for switch in found:
        client.delete(f"/v1/stops/{switch['id']}")
    output.line(f"Resumed {scope} {shown}")


def _id(client: "Client", scope: Scope, target: str) -> str:
    if scope is Scope.TEAM:
        return names.team_id(target)
    if scope is Scope.USER:
        return names.user_id(client, target)
    if scope is Scope.CONSUMER_GROUP:
        return names.group_id(client, target)
    if scope is Scope.KEY:
        return names.key_id(client, target)
    return target
