"""`kt gateway`: run the gateway."""

import typer

commands = typer.Typer(no_args_is_help=True, help="The gateway.")


@commands.callback()
def _gateway() -> None:
    """The proxy between your clients and the providers."""
