"""Programs for the supervisor's tests.

`python -m tests.kt.supervised supervise FOLDER MODE…` supervises one child per mode;
`python -m tests.kt.supervised MODE FOLDER` is such a child. Each child appends its process id to
FOLDER/MODE.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

from keeptrusts.supervisor import process
from keeptrusts.supervisor.process import Program
from keeptrusts.supervisor.supervisor import ChildFailed, Supervisor


def supervise(folder: Path, modes: list[str]) -> None:
    process.FIRST_DELAY_SECONDS = 0.01
    wanted = [
        Program(
            name=mode,
            module="tests.kt.supervised",
            arguments=(mode, str(folder)),
            ready=(folder / mode).is_file,
            stop_seconds=1.0,
            log=folder / "logs" / f"{mode}.log",
        )
        for mode in modes
    ]
    with Supervisor(wanted, report=say) as supervisor:
        supervisor.start()
        if supervisor.wait_ready():
            say("ready")
            supervisor.run()
    say("stopped")


def child(mode: str, folder: Path) -> None:
    if mode == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if mode == "failing":
        sys.exit(3)
    pids = [os.getpid()]
    if mode == "family":
        pids.append(subprocess.Popen(["sleep", "600"]).pid)
    with (folder / mode).open("a", encoding="ascii") as file:
        file.write("".join(f"{pid}\n" for pid in pids))
    if mode == "crashing":
        sys.exit(3)
    while True:
        signal.pause()


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1] == "supervise":
        try:
            supervise(Path(sys.argv[2]), sys.argv[3:])
        except ChildFailed as failure:
            say(f"failed: {failure}")
            sys.exit(1)
    else:
        child(sys.argv[1], Path(sys.argv[2]))
