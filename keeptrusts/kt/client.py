"""A small client of the /v1 API: JSON with exact numbers in and out, errors as one line."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from decimal import Decimal
from http.client import HTTPException
from typing import Any

from keeptrusts.kt import output
from keeptrusts.kt.configuration import ApiAccess, api_access
from keeptrusts.kt.errors import Failure

TIMEOUT_SECONDS = 30.0
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class Client:
    """Calls the API; every failure raises Failure with one line that says what to do."""

    def __init__(self, access: ApiAccess | None = None) -> None:
        self.access = access or api_access()
        local = urllib.parse.urlsplit(self.access.url).hostname in LOOPBACK
        # A proxy of the network cannot reach this machine's own ports.
        handlers = [urllib.request.ProxyHandler({})] if local else []
        self._opener = urllib.request.build_opener(*handlers)

    def get(self, path: str, query: Mapping[str, object] | None = None) -> Any:
        """The answer to GET; empty query values are left out."""
        pairs = {key: str(value) for key, value in (query or {}).items() if value not in (None, "")}
        return self._call("GET", path + (f"?{urllib.parse.urlencode(pairs)}" if pairs else ""))

    def post(self, path: str, body: Mapping[str, Any], *, once: str = "") -> Any:
        """The answer to POST; `once` is sent as the Idempotency-Key."""
        return self._call("POST", path, body, {"Idempotency-Key": once} if once else {})

    def delete(self, path: str) -> Any:
        """The answer to DELETE, None when there is none."""
        return self._call("DELETE", path)

    def pages(self, path: str, query: Mapping[str, object] | None = None) -> Iterator[Any]:
        """Every result of a list, following its cursor."""
        page = self.get(path, query)
        while True:
            yield from page["results"]
            if not page.get("next"):
                return
            page = self._call("GET", self._path_of(page["next"]))

    def _path_of(self, url: str) -> str:
        """The path and query of a `next` link: the token goes nowhere but to the configured
        address."""
        parts = urllib.parse.urlsplit(url)
        base = urllib.parse.urlsplit(self.access.url).path
        return f"{parts.path.removeprefix(base)}?{parts.query}"

    def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        request = urllib.request.Request(
            self.access.url + path,
            method=method,
            data=None if body is None else output.as_json(body).encode(),
            headers={
                "Authorization": f"Bearer {self.access.token}",
                "Accept": "application/json",
                "Content-Type": "application/json",
                **(headers or {}),
            },
        )
        return self._decoded(self._answer(request))

    def _answer(self, request: urllib.request.Request) -> bytes:
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as response:
                return bytes(response.read())
        except urllib.error.HTTPError as error:
            raise Failure(self._refusal(error.code, error.read())) from error
        except (urllib.error.URLError, OSError, HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise Failure(f"the API at {self.access.url} does not answer: {reason}") from error

    def _decoded(self, answer: bytes) -> Any:
        if not answer:
            return None
        try:
            return json.loads(answer, parse_float=Decimal)
        except ValueError as error:
            raise Failure(f"{self.access.url} does not speak the Keeptrusts API") from error

    def _refusal(self, status: int, answer: bytes) -> str:
        try:
            error = json.loads(answer)["error"]
            message = f"{error['message']} ({error['code']})"
        except (ValueError, KeyError, TypeError):
            return f"the API at {self.access.url} answered with status {status}"
        if status == 401:
            return f"the API refused the token: {message}; set KEEPTRUSTS_API_TOKEN to a valid one"
        return f"the API refused: {message}"
