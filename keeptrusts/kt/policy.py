"""`kt policy`: check a policy file."""

import os
from pathlib import Path
from typing import Annotated

import typer

from keeptrusts.kt import database, output
from keeptrusts.kt.errors import Failure

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

    problems = policy.lint(file, os.environ, known_teams=_known_teams(data))
    for problem in problems:
        output.line(str(problem))
    errors = sum(problem.severity is policy.Severity.ERROR for problem in problems)
    if errors:
        raise Failure(f"{file}: {output.count(errors, 'error')}")
    warnings = output.count(len(problems), "warning")
    output.line(f"{file}: ok" + (f" ({warnings})" if problems else ""))


def _known_teams(data: Path | None) -> list[str] | None:
    """The teams of the database, where there is one; without it teams are not checked."""
    if not database.exists(data):
        return None
    database.connect(data)
    from django.db import DatabaseError

    from wallets.models import Team

    try:
        return list(Team.objects.filter(archived_at=None).values_list("slug", flat=True))
    except DatabaseError:
        typer.echo("kt: the database does not answer: teams are not checked", err=True)
        return None
