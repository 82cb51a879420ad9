"""Several processes that serve one application on one port."""

import os
import socket
from collections.abc import Callable

from keeptrusts.supervisor.process import Program

STOP_SECONDS = 45.0  # 30 s for running answers, 10 s for the ledger, and a margin


def programs(name: str, application: str, sockets: list[socket.socket]) -> list[Program]:
    """One program per listening socket; each says through a pipe of its own that it answers."""
    return [_program(f"{name} {i}", application, sock) for i, sock in enumerate(sockets, start=1)]


def _program(name: str, application: str, sock: socket.socket) -> Program:
    read, write = os.pipe()
    os.set_blocking(read, False)
    return Program(
        name=name,
        module="keeptrusts.kt.serving",
        arguments=(application, str(sock.fileno()), str(write)),
        ready=_byte_arrived(read),
        stop_seconds=STOP_SECONDS,
        pass_fds=(sock.fileno(), write),
    )


def _byte_arrived(fd: int) -> Callable[[], bool]:
    def ready() -> bool:
        try:
            return bool(os.read(fd, 1))
        except BlockingIOError:
            return False

    return ready
