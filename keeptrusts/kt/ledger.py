"""`kt ledger`: prove the books and close abandoned holds, on the database itself."""

from pathlib import Path

import typer

from keeptrusts.kt import database, output
from keeptrusts.kt.errors import Failure
from keeptrusts.lib import money

commands = typer.Typer(no_args_is_help=True, help="The ledger: verify it, sweep old holds.")

DATA = typer.Option(None, help="Data directory; default: KEEPTRUSTS_DATA, else ./data.")


@commands.command("verify")
def verify(data: Path | None = DATA) -> None:
    """Prove the ledger's promises on the live database; exit code 1 where one is broken."""
    database.connect(data)
    from wallets import verification

    report = verification.verify()
    for problem in report.problems:
        output.line(problem)
    if not report.ok:
        raise Failure(str(report))
    output.line(str(report))


@commands.command("sweep")
def sweep(
    older_than: int | None = typer.Option(
        None, min=0, help="Seconds since the last heartbeat; default: holds past their expiry."
    ),
    data: Path | None = DATA,
) -> None:
    """Close holds whose caller is gone: charge what was delivered, return the rest."""
    database.connect(data)
    from datetime import timedelta

    from wallets import sweeper

    age = None if older_than is None else timedelta(seconds=older_than)
    report = sweeper.sweep(older_than=age, actor="kt")
    output.line(
        f"closed {output.count(report.closed, 'hold')}: charged {money.display(report.charged)}, "
        f"returned {money.display(report.returned)}"
    )
