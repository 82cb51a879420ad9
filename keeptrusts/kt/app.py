"""All commands of `kt`, and what becomes of their errors.

Exit codes: 0 done, 1 failed, 2 wrong usage. An expected error is one line on stderr, never a
traceback.
"""

import difflib
import os
import re
import sys
from collections.abc import Sequence

import typer

from keeptrusts.kt import (
    cache,
    doctor,
    events,
    gateway,
    init,
    ledger,
    model,
    policy,
    shadow,
    spend,
    stops,
    tickets,
    up,
    wallets,
)
from keeptrusts.kt.errors import Failure
from keeptrusts.lib.money import InvalidAmount
from keeptrusts.supervisor.ports import PortUnavailable
from keeptrusts.supervisor.supervisor import ChildFailed
from wallets.errors import Refused

root = typer.Typer(
    name="kt",
    help="Keeptrusts: language models paid from prepaid wallets.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
root.command("up")(up.up)
root.command("init")(init.init)
root.add_typer(policy.commands, name="policy")
root.add_typer(gateway.commands, name="gateway")
root.add_typer(model.commands, name="model")
root.command("spend")(spend.spend)
root.add_typer(events.commands, name="events")
root.add_typer(wallets.commands, name="wallets")
root.add_typer(cache.commands, name="cache")
root.add_typer(tickets.commands, name="tickets")
root.add_typer(shadow.commands, name="shadow")
root.command("stop")(stops.stop)
root.command("resume")(stops.resume)
root.add_typer(ledger.commands, name="ledger")
root.command("doctor")(doctor.doctor)

PLAIN = {
    "Value error, ": "",
    "Input should be a valid integer, unable to parse string as an integer": "not a whole number",
    "Input should be": "must be",
}
"""Words of the parser's library, and ours."""

CHOICES = re.compile(r"'([^']*)' is not one of (.*)\.")
"""What the parser's library says about a word that is no choice."""

EXPECTED = (Failure, PortUnavailable, ChildFailed, Refused, InvalidAmount)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    command = typer.main.get_command(root)
    try:
        result = command.main(args=list(arguments), prog_name="kt", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except typer.TyperException as error:
        return _usage(error)
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        # The reader (head, less) has seen enough; nothing may be written when Python leaves.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except EXPECTED as error:
        return _fail(str(error))
    except Exception as error:
        explained = _explained(error)
        if explained is None:
            raise
        return _fail(explained)


def _fail(message: str) -> int:
    typer.echo(f"kt: {' '.join(message.split())}", err=True)
    return 1


def _usage(error: typer.TyperException) -> int:
    message = " ".join(error.format_message().split())
    for technical, plain in PLAIN.items():
        message = message.replace(technical, plain)
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(error.format_message(), err=True)
    else:
        context = getattr(error, "ctx", None)
        hint = f" (see '{context.command_path} --help')" if context else ""
        typer.echo(f"kt: {_suggesting(message)}{hint}", err=True)
    return error.exit_code


def _suggesting(message: str) -> str:
    """With the choice that is nearest to what was typed."""
    found = CHOICES.search(message)
    if found is None:
        return message
    near = difflib.get_close_matches(found[1], re.findall(r"'([^']*)'", found[2]), n=1)
    return f"{message} Did you mean '{near[0]}'?" if near else message


def _explained(error: Exception) -> str | None:
    """One line for an error of the database or of the settings; None for a mistake of ours."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    if "django" not in sys.modules:
        return None
    from django.core.exceptions import ImproperlyConfigured
    from django.db import DatabaseError

    if isinstance(error, ImproperlyConfigured):
        return str(error)
    if isinstance(error, DatabaseError):
        first = (str(error).splitlines() or [type(error).__name__])[0]
        return f"the database cannot be used: {first}"
    return None
