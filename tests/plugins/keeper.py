"""Owns a test server for another process: `python -m tests.plugins.keeper postgres|redis`.

Prints the server's URL and serves until its standard input closes. The kernel closes it however
the other process ends, SIGKILL included, so that no server outlives its tests.
"""

import subprocess
import sys
from contextlib import AbstractContextManager

from tests.plugins.postgres_server import PostgresServer
from tests.plugins.redis_server import RedisServer

SERVERS: dict[str, type[PostgresServer] | type[RedisServer]] = {
    "postgres": PostgresServer,
    "redis": RedisServer,
}


class KeptServer(AbstractContextManager["KeptServer"]):
    """A server of the named kind, running until `close` or the end of this process."""

    def __init__(self, kind: str) -> None:
        self._keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.plugins.keeper", kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Ctrl-C is for the tests; the keeper ends after them.
            start_new_session=True,
        )
        assert self._keeper.stdout is not None
        self.url = self._keeper.stdout.readline().strip()
        if not self.url:
            self.close()
            raise RuntimeError(f"the embedded {kind} server did not start; its output is above")

    def close(self) -> None:
        """Wait until the server is gone and its data deleted."""
        self._keeper.communicate()

    def __exit__(self, *_exception: object) -> None:
        self.close()


def main(kind: str) -> None:
    with SERVERS[kind]() as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
