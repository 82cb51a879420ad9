"""A real HTTP server that answers as the /v1 API would, for the client side of `kt`."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "kt_live_test"


class FakeApi:
    """Answers from `answers[(method, path)]`: (status, body text); remembers what it was asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: dict[tuple[str, str], tuple[int, str]] = {}
        self.requests: list[dict[str, Any]] = []

    def on(self, method: str, path: str, body: str, status: int = 200) -> None:
        """Answer `method path` (query included) with `body`."""
        self.answers[method, path] = (status, body)


@contextmanager
def serving() -> Iterator[FakeApi]:
    """A server on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            size = int(self.headers.get("content-length") or 0)
            fake.requests.append(
                {
                    "method": self.command,
                    "path": self.path,
                    "token": self.headers.get("authorization"),
                    "once": self.headers.get("idempotency-key"),
                    "body": self.rfile.read(size).decode(),
                }
            )
            unknown = {"error": {"type": "x", "code": "not_found", "message": f"no {self.path}"}}
            status, body = fake.answers.get((self.command, self.path), (404, json.dumps(unknown)))
            self.send_response(status)
            self.send_header("content-length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        fake = FakeApi(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join()
