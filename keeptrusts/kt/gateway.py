"""`kt gateway`: run the gateway."""

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 41002

commands = typer.Typer(no_args_is_help=True, help="The gateway.")


@commands.callback()
def _gateway() -> None:
    """The proxy between your clients and the providers."""


@commands.command("run")
def run(
    policy_config: Annotated[Path, typer.Option(help="The policy file.")] = Path(
        "policy-config.yaml"
    ),
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Default: 41002.")] = None,
    listen: Annotated[str, typer.Option(help="HOST:PORT instead of --port.")] = "",
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes on the port.")] = 1,
    data: Annotated[Path | None, typer.Option(help="Data directory.")] = None,
) -> None:
    """Run the gateway until it is interrupted; several workers need PostgreSQL."""
    if listen and port is not None:
        raise typer.BadParameter("give either --port or --listen")
    host, number = _address(listen) if listen else (DEFAULT_HOST, port or DEFAULT_PORT)
    from keeptrusts.kt import gateway_run

    gateway_run.run(policy_config, host=host, port=number, workers=workers, data=data)


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise typer.BadParameter(f"--listen {listen!r} is no HOST:PORT, for example 0.0.0.0:41002")
    return host.strip("[]") or DEFAULT_HOST, int(port)
