"""One supervised child process."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from keeptrusts.supervisor import lifeline

MAX_RESTARTS = 5  # crashes in a row; one that ran STEADY_SECONDS starts the count again
STEADY_SECONDS = 60.0
FIRST_DELAY_SECONDS = 0.5
LOG_LIMIT_BYTES = 10 * 1024 * 1024
LAST_BYTES = 2000


@dataclass(frozen=True)
class Program:
    """What a child runs: `module` with `arguments`, as `python -m` would; `ready` says whether it
    answers."""

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: Callable[[], bool] = lambda: True
    stop_seconds: float = 10.0
    log: Path | None = None  # None: the supervisor's own output
    pass_fds: tuple[int, ...] = ()

    def command(self) -> list[str]:
        return [
            sys.executable,
            "-m",
            "keeptrusts.supervisor.child",
            self.module,
            *self.arguments,
        ]


class Child:
    """A running (or crashed and waiting) instance of a program, leader of its own process group."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.process: subprocess.Popen[bytes] | None = None
        self.crashes = 0
        self.restart_at = 0.0
        self._started_at = 0.0
        self._log_start = 0

    @property
    def name(self) -> str:
        return self.program.name

    def start(self, lifeline_fd: int) -> None:
        """Start the program, holding the read end `lifeline_fd`."""
        self._started_at, self.restart_at = time.monotonic(), 0.0
        output = _open_log(self.program.log)
        self._log_start = os.lseek(output, 0, os.SEEK_END) if output is not None else 0
        try:
            self.process = subprocess.Popen(
                self.program.command(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment(lifeline_fd),
                pass_fds=(lifeline_fd, *self.program.pass_fds),
                process_group=0,
            )
        finally:
            if output is not None:
                os.close(output)

    def _environment(self, lifeline_fd: int) -> dict[str, str]:
        return {
            **os.environ,
            **self.program.environment,
            lifeline.FD_VARIABLE: str(lifeline_fd),
            lifeline.PARENT_VARIABLE: str(os.getpid()),
        }

    def exit_code(self) -> int | None:
        """The exit code of a child that has ended; None while it runs or waits for its restart."""
        return self.process.poll() if self.process else None

    def note_crash(self) -> bool:
        """Plan the next start after a crash; False when the child has crashed too often."""
        self.signal_group(signal.SIGKILL)  # what it started must not meet its successor
        self.process = None
        if time.monotonic() - self._started_at > STEADY_SECONDS:
            self.crashes = 0
        self.crashes += 1
        self.restart_at = time.monotonic() + FIRST_DELAY_SECONDS * 2 ** (self.crashes - 1)
        return self.crashes <= MAX_RESTARTS

    def due(self) -> bool:
        """Whether a crashed child's delay is over."""
        return self.process is None and time.monotonic() >= self.restart_at

    def last_line(self) -> str:
        """The last line of the child's log that this start has written; empty without one."""
        if self.program.log is None or not self.program.log.is_file():
            return ""
        with self.program.log.open("rb") as log:
            log.seek(max(self._log_start, log.seek(0, os.SEEK_END) - LAST_BYTES))
            lines = log.read().decode("utf-8", "replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def signal_group(self, number: int) -> None:
        """Send a signal to the child and everything it started."""
        if self.process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, number)

    def send(self, number: int) -> None:
        """Send a signal to the child alone: it passes on to what it started what it sees fit."""
        if self.process is not None:
            self.process.send_signal(number)

    def end(self, deadline: float) -> None:
        """Wait until the monotonic `deadline`, then end whatever is left of the group."""
        if self.process is None:
            return
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=max(0.0, deadline - time.monotonic()))
        self.signal_group(signal.SIGKILL)
        self.process.wait()


def _open_log(path: Path | None) -> int | None:
    """A descriptor that appends to the log; one that has grown too long is set aside first."""
    if path is None:
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        if path.stat().st_size > LOG_LIMIT_BYTES:
            path.replace(path.with_suffix(".log.1"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
