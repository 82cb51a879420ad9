"""Locks between processes of one data directory; the kernel drops them when a process ends."""

import fcntl
import os
from pathlib import Path

from keeptrusts.kt.errors import Failure

_held: list[int] = []


def hold(path: Path, refusal: str) -> None:
    """Take the lock for the life of this process; raises Failure(`refusal`) while another has
    it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(fd)
        raise Failure(refusal) from error
    os.ftruncate(fd, 0)
    os.write(fd, f"{os.getpid()}\n".encode())
    _held.append(fd)
