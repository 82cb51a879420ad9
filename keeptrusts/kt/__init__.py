"""The `kt` command line: one file per group of commands; heavy imports happen inside the
commands."""

import sys


def main() -> None:
    """The `kt` command: runs it and ends the process with its exit code."""
    from keeptrusts.kt.app import run

    sys.exit(run(sys.argv[1:]))
