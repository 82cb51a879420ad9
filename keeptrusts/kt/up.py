"""`kt up`: everything on this machine from one command."""

from pathlib import Path
from typing import Annotated

import typer

from keeptrusts.kt.gateway import DEFAULT_PORT as GATEWAY_PORT

CONSOLE_PORT = 8080


def up(
    data: Annotated[Path | None, typer.Option(help="Data directory; default: ./data.")] = None,
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port of the console and the API.")
    ] = CONSOLE_PORT,
    gateway_port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port of the gateway.")
    ] = GATEWAY_PORT,
    upstream: Annotated[
        str, typer.Option(help="An OpenAI-compatible server instead of the local model.")
    ] = "",
    no_gateway: Annotated[
        bool, typer.Option("--no-gateway", help="Leave the gateway to a kt gateway run.")
    ] = False,
    no_demo: Annotated[bool, typer.Option("--no-demo", help="Create no demo data.")] = False,
) -> None:
    """Run the console, the API, the gateway, the jobs and a local model until interrupted."""
    from keeptrusts.kt import machine

    plan = machine.Plan(
        data=data,
        port=port,
        gateway_port=None if no_gateway else gateway_port,
        upstream=upstream,
        demo=not no_demo,
    )
    machine.run(plan)
