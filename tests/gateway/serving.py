"""A gateway for tests: the real application under uvicorn, in a thread, on a socket of its own."""

import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import uvicorn
import yaml

from gateway.proxy.application import Application
from keeptrusts.lib.bounded_http import BoundedProtocol

T = TypeVar("T")

DEADLINE_SECONDS = 20.0


def eventually(look: Callable[[], T], *, seconds: float = DEADLINE_SECONDS, what: str = "") -> T:
    """The first truthy answer of ``look``; fails when there is none in time."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not in {seconds} seconds: {what or look}; last: {found!r}")
        pause.wait(0.01)


class Answer(NamedTuple):
    """A whole HTTP answer."""

    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        """The body's JSON."""
        return json.loads(self.raw)

    @property
    def error(self) -> dict[str, Any]:
        """The error of an error body."""
        return self.json["error"]  # type: ignore[no-any-return]


class RunningGateway(AbstractContextManager["RunningGateway"]):
    """Serves until the block ends; ``url`` ends without a slash."""

    def __init__(self, policy: dict[str, Any], directory: Path) -> None:
        self.path = directory / "policy-config.yaml"
        self.write_policy(policy)
        self.application = Application(self.path)
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        config = uvicorn.Config(
            self.application,
            http=BoundedProtocol,
            ws="none",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=5,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )

    def write_policy(self, policy: dict[str, Any]) -> None:
        """Put a policy file in place, whole."""
        temporary = self.path.with_suffix(".new")
        temporary.write_text(yaml.safe_dump(policy))
        os.replace(temporary, self.path)

    def __enter__(self) -> "RunningGateway":
        self._thread.start()
        eventually(
            lambda: self._server.started or not self._thread.is_alive(), what="gateway started"
        )
        if not self._server.started:
            raise AssertionError("the gateway did not start; see the log")
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Shut down in good order and wait for it."""
        self._server.should_exit = True
        self._thread.join(40)
        self._socket.close()
        assert not self._thread.is_alive(), "the gateway did not stop"

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        raw: bytes | None = None,
        key: str | None = None,
        headers: dict[str, str] | None = None,
        timeout: float = 30,
    ) -> Answer:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        given = {"content-type": "application/json", **(headers or {})}
        if key is not None:
            given["x-consumer-group"] = key
        data = raw if raw is not None else (json.dumps(body) if body is not None else None)
        try:
            connection.request(method, path, data, given)
            response = connection.getresponse()
            return Answer(
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                response.read(),
            )
        finally:
            connection.close()

    def chat(self, key: str | None, **fields: Any) -> Answer:
        """One plain or streamed completion."""
        return self.request("POST", "/v1/chat/completions", body=chat(**fields), key=key)

    @contextmanager
    def connection(self) -> Iterator[http.client.HTTPConnection]:
        """A raw connection, to leave in the middle."""
        found = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            yield found
        finally:
            found.close()

    @contextmanager
    def asking(
        self, key: str, *, headers: dict[str, str] | None = None, **fields: Any
    ) -> Iterator[http.client.HTTPConnection]:
        """A completion that was asked for, to read as it comes or to leave in the middle."""
        with self.connection() as connection:
            own = {"x-consumer-group": key, **(headers or {})}
            connection.request("POST", "/v1/chat/completions", json.dumps(chat(**fields)), own)
            yield connection


def chat(**fields: Any) -> dict[str, Any]:
    """The body of a completion of gpt-4o-mini."""
    return {
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": "Write a short haiku."}],
        **fields,
    }
