"""How a command fails."""


class Failure(Exception):
    """The command could not do what was asked; the message is one line that says what to do.

    Exit code 1. Bad usage is typer's own business and exits with 2.
    """
