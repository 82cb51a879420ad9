"""`kt policy`: check a policy file."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keeptrusts.kt import database, output
from keeptrusts.kt import known as names
from keeptrusts.kt.errors import Failure

if TYPE_CHECKING:
    from gateway.policy import Known

commands = typer.Typer(no_args_is_help=True, help="Policy files.")


@commands.callback()
def _policy() -> None:
    """The gateway's configuration."""


@commands.command("lint")
def lint(
    file: Annotated[Path, typer.Option(help="The policy file.")] = Path("policy-config.yaml"),
    data: Annotated[Path | None, typer.Option(help="Data directory, to know the teams.")] = None,
) -> None:
    """Check a policy file: every problem with its line and a suggestion."""
    from gateway import policy

    known = _known(data)
    problems = policy.lint(file, os.environ, known=known or policy.NOTHING_KNOWN)
    for problem in problems:
        output.line(str(problem))
    if known is None and file.is_file():
        output.line("note: teams and organization were not checked: no database")
    errors = sum(problem.severity is policy.Severity.ERROR for problem in problems)
    if errors:
        raise Failure(f"{file}: {output.count(errors, 'error')}")
    if known is not None:
        names.warn_of_token(policy.load(file, os.environ, known=known))
    warnings = output.count(len(problems), "warning")
    output.line(f"{file}: ok" + (f" ({warnings})" if problems else ""))


def _known(data: Path | None) -> "Known | None":
    """What the database knows, where there is one."""
    if not database.exists(data):
        return None
    database.connect(data)
    from django.db import DatabaseError

    try:
        return names.names()
    except DatabaseError:
        typer.echo("kt: the database does not answer as one of Keeptrusts", err=True)
        return None
