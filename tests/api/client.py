"""A caller of /v1 in tests: exact numbers in and out, no network."""

import json
from decimal import Decimal
from typing import Any, NamedTuple

from django.test import Client as DjangoClient


class Answer(NamedTuple):
    """Status, parsed body (numbers as Decimal or int), raw text, headers."""

    status: int
    body: Any
    text: str
    headers: Any

    @property
    def error(self) -> dict[str, Any]:
        """The error of the one error shape; fails where it is not in that shape."""
        assert set(self.body) == {"error"}, self.text
        error: dict[str, Any] = self.body["error"]
        assert set(error) == {"type", "code", "message", "details"}, self.text
        return error


class Caller:
    """Calls the API with a bearer token."""

    def __init__(self, secret: str | None) -> None:
        self._client = DjangoClient(raise_request_exception=False)
        self._headers = {"Authorization": f"Bearer {secret}"} if secret else {}

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: str | bytes | None = None,
        content_type: str = "application/json",
        **headers: str,
    ) -> Answer:
        """One call; ``raw`` is sent as it is, ``body`` as JSON with exact numbers."""
        data = raw if raw is not None else ("" if body is None else as_json(body))
        response = self._client.generic(
            method,
            f"/v1/{path}" if not path.startswith("/") else path,
            data,
            content_type=content_type,
            headers={
                **self._headers,
                **{name.replace("_", "-"): value for name, value in headers.items()},
            },
        )
        text = response.content.decode()
        is_json = response.headers.get("Content-Type", "").startswith("application/json")
        parsed = json.loads(text, parse_float=Decimal) if is_json and text else None
        return Answer(response.status_code, parsed, text, response.headers)

    def get(self, path: str, **query: Any) -> Answer:
        """GET with query parameters."""
        pairs = "&".join(f"{name}={value}" for name, value in query.items())
        return self.call("GET", f"{path}?{pairs}" if pairs else path)

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        """POST of a JSON body."""
        return self.call("POST", path, body, **headers)

    def patch(self, path: str, body: Any) -> Answer:
        """PATCH of a JSON body."""
        return self.call("PATCH", path, body)

    def delete(self, path: str) -> Answer:
        """DELETE."""
        return self.call("DELETE", path)


def as_json(value: Any) -> str:
    """JSON text in which every Decimal is a number with its own digits."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{as_json(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(as_json(item) for item in value) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)
