"""`kt stop` and `kt resume`: the switches that refuse new requests within seconds."""

from enum import StrEnum
from typing import Any

import typer

from keeptrusts.kt import output
from keeptrusts.kt.errors import Failure


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
    reason: str = typer.Option("", help="Why; shown to those who are refused."),
    cut: bool = typer.Option(False, help="Cut running requests at once too."),
) -> None:
    """Refuse new requests of a key, group, user, team, organization, model or provider."""
    from keeptrusts.kt.client import Client

    body = {"scope": scope.value, "target": _id(scope, target), "reason": reason, "cut": cut}
    answer = Client().post("/v1/stops", body)
    output.line(f"Stopped {scope} {target} ({answer['id']})")
    output.line(f"Lift it with: kt resume {scope} {target}")


def resume(scope: Scope = SCOPE, target: str = TARGET) -> None:
    """Lift a stop."""
    from keeptrusts.kt.client import Client

    client = Client()
    wanted = {target, _id(scope, target)}
    found = [
        switch
        for switch in client.pages("/v1/stops")
        if switch["scope"] == scope.value and _names(switch) & wanted
    ]
    if not found:
        raise Failure(f"{scope} {target} is not stopped")
    for switch in found:
        client.delete(f"/v1/stops/{switch['id']}")
    output.line(f"Resumed {scope} {target}")


def _id(scope: Scope, target: str) -> str:
    is_slug = scope is Scope.TEAM and not target.startswith("team_")
    return f"team_{target}" if is_slug else target


def _names(switch: dict[str, Any]) -> set[str]:
    return {str(switch["target"]), str(switch.get("name") or "")} - {""}
