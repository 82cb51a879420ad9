"""`python -m keeptrusts.supervisor.child MODULE ARGS…`: run a module as a supervised child.

The same as `python -m MODULE ARGS…`, after tying the process to its supervisor.
"""

import runpy
import sys

from keeptrusts.supervisor import lifeline


def main() -> None:
    """Attach the lifeline, then become the module named by the first argument."""
    lifeline.attach()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
