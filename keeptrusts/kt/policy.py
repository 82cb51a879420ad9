"""`kt policy`: check a policy file."""

from pathlib import Path
from typing import Annotated

import typer

from keeptrusts.kt.errors import Failure

commands = typer.Typer(no_args_is_help=True, help="Policy files.")


@commands.callback()
def _policy() -> None:
    """The gateway's configuration."""


@commands.command("lint")
def lint(
    file: Annotated[Path, typer.Option(help="The policy file.")] = Path("policy-config.yaml"),
) -> None:
    """Check a policy file: every problem with its line and a suggestion."""
    raise Failure(f"{file} cannot be checked")
