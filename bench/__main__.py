"""`python -m bench [ledger|gateway] [--short]`: measure, print tables, leave nothing behind."""

import argparse
import signal
import sys

from bench import machine
from bench.database import NotDurable


def main() -> int:
    """Run what was asked for; 1 when a figure would be worthless, with one line that says why."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description=__doc__)
    parser.add_argument("what", nargs="*", help="ledger, gateway; both unless named")
    parser.add_argument("--short", action="store_true", help="about a minute instead of five")
    arguments = parser.parse_args()
    unknown = set(arguments.what) - {"ledger", "gateway"}
    if unknown:
        parser.error(f"there is no benchmark {unknown.pop()!r}: name ledger or gateway")
    # An end by signal runs every `finally`: children are reaped, scratch databases dropped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(machine.description())
    try:
        for name in arguments.what or ["ledger", "gateway"]:
            _benchmark(name)(short=arguments.short)
    except NotDurable as refusal:
        print(f"bench: {refusal}", file=sys.stderr)
        return 1
    return 0


def _benchmark(name: str):
    if name == "ledger":
        from bench.ledger import run
    else:
        from bench.gateway import run
    return run.run


if __name__ == "__main__":
    sys.exit(main())
