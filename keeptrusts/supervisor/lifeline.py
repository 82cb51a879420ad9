"""The child's half: end this process when the process that supervises it is gone, however it went.

A supervisor holds the write end of a pipe and never writes; its children hold the read end. When
the supervisor dies, by SIGKILL too, the kernel closes the write end and every child reads the end
of the file. On Linux the kernel also sends a signal by itself (PR_SET_PDEATHSIG), which needs no
thread of ours to run.
"""

import ctypes
import os
import signal
import sys
import threading
import time

FD_VARIABLE = "KEEPTRUSTS_LIFELINE_FD"
PARENT_VARIABLE = "KEEPTRUSTS_LIFELINE_PARENT"
GRACE_SECONDS = 5.0  # to settle and leave by itself, before the whole process group is ended
_PR_SET_PDEATHSIG = 1


def attach() -> None:
    """Tie this process to its supervisor; without one (started by hand) this does nothing."""
    number, parent = (
        os.environ.pop(FD_VARIABLE, ""),
        os.environ.pop(PARENT_VARIABLE, ""),
    )
    if not number or not parent:
        return
    fd = int(number)
    os.set_inheritable(fd, False)
    _ask_kernel_for_signal()
    threading.Thread(target=_watch, args=(fd,), name="lifeline", daemon=True).start()
    # The supervisor may have died before the kernel was asked: the pipe says so, but be sure.
    if os.getppid() != int(parent):
        _end()


def _ask_kernel_for_signal() -> None:
    if sys.platform != "linux":
        return
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    except (OSError, AttributeError):
        return  # a libc without prctl: the pipe does it


def _watch(fd: int) -> None:
    while os.read(fd, 1):
        pass
    _end()


def _end() -> None:
    """Ask this process to stop; when it has not within the grace period, end it and what it
    started."""
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
