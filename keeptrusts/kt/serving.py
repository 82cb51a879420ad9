"""Runs an ASGI application under uvicorn, in this process, the way every process of Keeptrusts
does.

`python -m keeptrusts.kt.serving APPLICATION FD [READY_FD]` serves on a socket that the parent has
bound, and writes a byte to READY_FD once it answers.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn

from keeptrusts.kt.errors import Failure
from keeptrusts.lib.bounded_http import BoundedProtocol

BACKLOG = 2048
GRACE_SECONDS = 30
KEEP_ALIVE_SECONDS = 65  # longer than load balancers and client pools keep an idle connection


class _Startup:
    """The application, with an ear on why it refuses to start."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self.refusal = ""

    def stopping(self) -> None:
        """Tell an application that wants to know, before its connections are waited for."""
        getattr(self._application, "stopping", lambda: None)()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await self._application(scope, receive, send)
            return

        async def heard(message: Any) -> None:
            if message["type"] == "lifespan.startup.failed":
                self.refusal = message["message"]
            await send(message)

        await self._application(scope, receive, heard)


STOPPING = "kt: stopping … (running answers may take {} seconds; again: at once)\n"


class _Server(uvicorn.Server):
    """Says when it answers, and at Ctrl-C that it has understood."""

    def __init__(
        self, config: uvicorn.Config, on_ready: Callable[[], None], on_stop: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._on_stop = on_stop
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self.started and not self.should_exit:
            self._on_ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if sig == signal.SIGINT and not self.should_exit:
            # Inside a signal handler: past the buffers, which may be in use.
            text = STOPPING.format(self.config.timeout_graceful_shutdown)
            os.write(sys.stderr.fileno(), text.encode())
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._on_stop)
        super().handle_exit(sig, frame)


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

    Raises Failure when the application refuses to start.
    """
    config = uvicorn.Config(
        application,
        loop="uvloop",
        http=BoundedProtocol,
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
    config.loaded_app = startup = _Startup(config.loaded_app)
    _quieten(access_log=access_log)
    try:
        _Server(config, _then(on_ready), startup.stopping).run(sockets=[sock])
    except SystemExit:
        # How uvicorn ends when the application refuses; it has an exit code of its own for that.
        if not startup.refusal:
            raise
    if startup.refusal:
        raise Failure(startup.refusal)


def _quieten(*, access_log: bool) -> None:
    """Set the server's loggers, now that importing the application has set up logging.

    A refusal to start is told once, by whoever started. An access log costs a line in the path of
    every answer.
    """
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    logging.getLogger("uvicorn.access").propagate = access_log


def _then(on_ready: Callable[[], None]) -> Callable[[], None]:
    """Once it runs its errors are news; starting and stopping are not."""

    def ready() -> None:
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        on_ready()

    return ready


def main() -> None:
    """The command line described above."""
    application, fd, *ready = sys.argv[1:]

    def announce() -> None:
        for number in ready:
            os.write(int(number), b"1")

    try:
        serve(application, socket.socket(fileno=int(fd)), on_ready=announce)
    except Failure as failure:
        sys.exit(f"kt: {' '.join(str(failure).split())}")


if __name__ == "__main__":
    main()
