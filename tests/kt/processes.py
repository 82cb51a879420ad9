"""Real processes for tests: start them, wait for conditions, see whether they live."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 120.0


def environment(**extra: str) -> dict[str, str]:
    """The environment of a stranger: nothing of Keeptrusts is set but `extra`."""
    foreign = ("KEEPTRUSTS_", "DATABASE_URL", "REDIS_URL", "DJANGO_", "OPENAI_", "COVERAGE_")
    own = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**own, "PYTHONPATH": str(ROOT), **extra}


def until(condition: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Poll until `condition` holds; fails naming `what` when it does not in time."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain: {what}"
        pause.wait(0.05)


def lives(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be reaped does not."""
    shown = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state = shown.stdout.strip()
    return bool(state) and not state.startswith("Z")


def kt(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run one `kt` command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "keeptrusts.kt", *arguments],
        cwd=cwd,
        env=environment() if env is None else dict(env),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


@contextmanager
def running(*command: str, cwd: Path, env: Mapping[str, str] | None = None) -> Iterator["Running"]:
    """A process of its own group; nothing of the group outlives the block."""
    output = cwd / f"output-{time.monotonic_ns()}.txt"
    with output.open("wb") as stream:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment() if env is None else dict(env),
            stdout=stream,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
    try:
        yield Running(process, output)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


class Running:
    """A started process and what it has written."""

    def __init__(self, process: "subprocess.Popen[bytes]", output: Path) -> None:
        self.process = process
        self.pid = process.pid
        self._output = output

    def text(self) -> str:
        return self._output.read_text(encoding="utf-8")

    def until_says(self, text: str, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait for a text in the output; fails at once when the process ends without it."""
        until(
            lambda: text in self.text() or self.process.poll() is not None,
            f"{text!r} in {self.text()!r}",
            seconds,
        )
        assert text in self.text(), f"ended with {self.process.returncode}: {self.text()}"

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=PATIENCE_SECONDS)
