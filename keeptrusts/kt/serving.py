"""Runs an ASGI application under uvicorn, in this process, the way every process of Keeptrusts
does.

`python -m keeptrusts.kt.serving APPLICATION FD [READY_FD]` serves on a socket that the parent has
bound, and writes a byte to READY_FD once it answers.
"""

import logging
import os
import signal
import socket
import sys
from collections.abc import Callable

import uvicorn

BACKLOG = 2048
GRACE_SECONDS = 30
KEEP_ALIVE_SECONDS = 65  # longer than load balancers and client pools keep an idle connection


class _Server(uvicorn.Server):
    """Says when it answers."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and not self.should_exit:
            self._on_ready()


def serve(
    application: str,
    sock: socket.socket,
    *,
    on_ready: Callable[[], None],
    grace_seconds: int = GRACE_SECONDS,
    access_log: bool = False,
) -> None:
    """Serve `application` on the bound socket until SIGINT or SIGTERM; running answers get
    `grace_seconds`.

    Ends the process with exit code 3 when the application refuses to start.
    """
    config = uvicorn.Config(
        application,
        loop="uvloop",
        http="httptools",
        ws="none",
        log_config=None,
        access_log=access_log,
        server_header=False,
        proxy_headers=False,  # who calls is never read from X-Forwarded-For by the server
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=grace_seconds,
    )
    # uvicorn raises the signal again once it has stopped in good order: that is a clean exit here.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    config.load()
    _quieten(access_log=access_log)
    _Server(config, on_ready).run(sockets=[sock])


def _quieten(*, access_log: bool) -> None:
    """Set the server's loggers, now that importing the application has set up logging.

    Starting and stopping are no news; an access log costs a line in the path of every answer.
    """
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.access").propagate = access_log


def main() -> None:
    """The command line described above."""
    application, fd, *ready = sys.argv[1:]

    def announce() -> None:
        for number in ready:
            os.write(int(number), b"1")

    serve(application, socket.socket(fileno=int(fd)), on_ready=announce)


if __name__ == "__main__":
    main()
