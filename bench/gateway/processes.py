"""Child processes of a run: each in a group of its own, each reaped, whatever happens."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from bench.machine import cpu_seconds

STOP_SECONDS = 20


class Child:
    """A running module of this environment."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.pid = process.pid

    def line(self) -> str:
        """The next line it prints; raises when it ends instead."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"bench: {self._process.args} ended early, see above")
        return line.strip()

    def wait_for(self, text: str) -> None:
        """Read lines until one ends with ``text``."""
        while not self.line().endswith(text):
            pass

    def cpu(self) -> float:
        """Processor seconds of the process and its children so far."""
        return sum(cpu_seconds(pid) or 0.0 for pid in (self.pid, *_children(self.pid)))


@contextmanager
def running(
    *arguments: str, stderr: IO[bytes] | None = None, **environment: str
) -> Iterator[Child]:
    """`python -m ARGUMENTS` for the block; in the end its whole group is gone."""
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        stdout=subprocess.PIPE,
        stderr=stderr,
        env=os.environ | environment,
        text=True,
        start_new_session=True,
    )
    try:
        yield Child(process)
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        _end_group(process.pid)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _end_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def output_of(*arguments: str, **environment: str) -> str:
    """The last line `python -m ARGUMENTS` prints."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        stdout=subprocess.PIPE,
        env=os.environ | environment,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"bench: {' '.join(arguments)} failed, see above")
    return done.stdout.strip().splitlines()[-1]


def _children(pid: int) -> list[int]:
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
