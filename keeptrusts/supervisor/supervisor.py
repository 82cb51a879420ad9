"""Keeps a set of programs running and leaves none behind."""

import os
import select
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Self

from keeptrusts.supervisor.process import Child, Program

LOOK_SECONDS = 0.2
READY_SECONDS = 120.0


class ChildFailed(Exception):
    """A child ended by itself and is not started again (or did not answer in time)."""


class Supervisor:
    """Starts programs, restarts crashed ones a bounded number of times, stops all of them on
    leaving.

    A context manager: whatever happens inside, no child outlives the block. Must be used from the
    main thread: it takes SIGINT, SIGTERM and SIGHUP, and the kernel ties a child to the thread
    that started it. SIGHUP stops like the others, or with `forward_hangup` is passed on: reload.
    """

    def __init__(
        self,
        programs: Iterable[Program],
        *,
        report: Callable[[str], None],
        forward_hangup: bool = False,
    ) -> None:
        self.children = [Child(program) for program in programs]
        self.stopping = False
        self._report = report
        self._forward_hangup = forward_hangup
        self._lifeline_read, self._lifeline_write = os.pipe()
        self._wake_read, self._wake_write = os.pipe()
        self._previous: dict[int, object] = {}

    def __enter__(self) -> Self:
        os.set_blocking(self._wake_write, False)
        self._previous_wakeup = signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._previous[number] = signal.signal(number, self._stop)
        self._previous[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.stopping:
            self._report(f"stopping {', '.join(child.name for child in self.children)} …")
        self._stop_children()
        signal.set_wakeup_fd(self._previous_wakeup)
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        for fd in (
            self._lifeline_read,
            self._lifeline_write,
            self._wake_read,
            self._wake_write,
        ):
            os.close(fd)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP and self._forward_hangup:
            for child in self.children:
                child.send(number)
            return
        self.stopping = True

    def start(self) -> None:
        """Start every program that is not running."""
        for child in self.children:
            if child.process is None:
                child.start(self._lifeline_read)

    def wait_ready(self, *, seconds: float = READY_SECONDS) -> bool:
        """Wait until every program answers; False when a stop was asked for meanwhile.

        Raises ChildFailed when one ends before it answered (nothing is restarted yet) or none
        answers in time.
        """
        deadline = time.monotonic() + seconds
        waiting = list(self.children)
        while waiting and not self.stopping:
            self._fail_on_exit()
            waiting = [child for child in waiting if not child.program.ready()]
            if waiting and time.monotonic() > deadline:
                raise ChildFailed(f"{waiting[0].name} does not answer{_see(waiting[0])}")
            self._pause(LOOK_SECONDS / 2 if waiting else 0)
        return not self.stopping

    def _fail_on_exit(self) -> None:
        for child in self.children:
            code = child.exit_code()
            if code is not None:
                raise ChildFailed(f"{child.name} {_ending(code)} while starting{_see(child)}")

    def run(self) -> None:
        """Keep the programs running until a stop is asked for; raises ChildFailed when one crashes
        too often."""
        while not self.stopping:
            for child in self.children:
                self._look_after(child)
            self._pause(LOOK_SECONDS)

    def _look_after(self, child: Child) -> None:
        code = child.exit_code()
        if code is not None:
            if not child.note_crash():
                raise ChildFailed(f"{child.name} crashed {child.crashes} times{_see(child)}")
            self._report(f"{child.name} {_ending(code)}; starting it again{_see(child)}")
        elif child.due():
            child.start(self._lifeline_read)

    def _pause(self, seconds: float) -> None:
        """Sleep, but wake at once for a signal or the end of a child."""
        readable, _, _ = select.select([self._wake_read], [], [], seconds)
        if readable:
            os.read(self._wake_read, 4096)

    def _stop_children(self) -> None:
        started = time.monotonic()
        for child in self.children:
            child.send(signal.SIGTERM)
        for child in self.children:
            with suppress(ProcessLookupError):
                child.end(started + child.program.stop_seconds)


def _ending(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"


def _see(child: Child) -> str:
    """Where to read on, and the last thing the child said."""
    if child.program.log is None:
        return ""
    last = child.last_line()
    return f" (see {child.program.log}){': ' + last if last else ''}"
