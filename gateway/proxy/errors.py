"""Why a request is not served, and how its caller is told: the error body of the OpenAI API."""

from collections.abc import Mapping
from typing import Any

import orjson

from gateway.tokens import InvalidRequest

UPSTREAM_ID = b"x-keeptrusts-upstream-request-id"


class Rejected(Exception):
    """An answer other than the model's. ``blocked``: it was a decision, and the event says so.

    ``reason`` is the event's reason code: the ``code`` the caller gets, where nobody changes it.
    """

    blocked = False
    kind = "invalid_request_error"

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        kind: str | None = None,
        retry_after: int | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.kind = kind or self.kind
        self.retry_after = retry_after
        self.details = details
        self.reason = code or ""
        self.retry = True
        """False: the same request will fail again until somebody has mended something."""

    def body(self) -> bytes:
        """``{"error": {"message", "type", "param", "code"}}``, with details where there are any."""
        error: dict[str, Any] = {
            "message": self.message,
            "type": self.kind,
            "param": self.param,
            "code": self.code,
        }
        if self.details is not None:
            error["details"] = self.details
        return orjson.dumps({"error": error})

    def headers(self) -> list[tuple[bytes, bytes]]:
        """What goes with the body."""
        found = [(b"content-type", b"application/json")]
        if self.retry_after is not None:
            found.append((b"retry-after", str(self.retry_after).encode()))
        if not self.retry:
            found.append((b"x-should-retry", b"false"))
        return found


class Blocked(Rejected):
    """A decision against the request: nothing was sent upstream, nothing is charged."""

    blocked = True
    kind = "budget_exceeded"


class UpstreamFailure(Rejected):
    """The provider did not answer, or with an error. ``passed`` is its own body, as it was."""

    kind = "upstream_error"

    def __init__(
        self, status: int, message: str, *, code: str, passed: bytes | None = None, **more: Any
    ) -> None:
        super().__init__(status, message, code=code, **more)
        self.passed = passed
        self.upstream_id: bytes | None = None

    def headers(self) -> list[tuple[bytes, bytes]]:
        """With the provider's own id of the request, where there is one."""
        found = super().headers()
        return [*found, (UPSTREAM_ID, self.upstream_id)] if self.upstream_id else found

    def body(self) -> bytes:
        """The provider's error body where it has the right shape."""
        return super().body() if self.passed is None else self.passed


def unauthenticated(message: str) -> Rejected:
    """No key, or one that is not valid (any more)."""
    return Rejected(401, message, code="invalid_api_key")


def invalid(error: InvalidRequest) -> Rejected:
    """A field of the body that cannot be used."""
    return Rejected(400, f"{error.field}: {error.message}", code=error.code, param=error.field)


def invalid_field(field: str, message: str) -> Rejected:
    """As ``invalid``, for a field that is checked here."""
    return invalid(InvalidRequest(field, message))


MAX_SHOWN = 120


def shown(field: str) -> str:
    """The name of a field as answers repeat it, whatever the client made of it."""
    return field.encode("utf-8", "replace").decode()[:MAX_SHOWN]


def unsupported_field(field: str, message: str) -> Rejected:
    """A field, or its value, that cannot be served; ``message`` says so without its name."""
    name = shown(field)
    return Rejected(400, f"{name}: {message}", code="unsupported_field", param=name)


def unknown_route(method: str, path: str) -> Rejected:
    """Nothing is served under this address."""
    return Rejected(404, f"Unknown request URL: {method} {path}", code="unknown_url")


def wrong_method(method: str, path: str, allowed: str) -> Rejected:
    """The address is known, the method is not."""
    return Rejected(
        405, f"{path} does not accept {method}, only {allowed}.", code="method_not_allowed"
    )


def too_large(limit: int) -> Rejected:
    """The body is longer than the gateway reads."""
    return Rejected(
        413, f"The request body is larger than {limit} bytes.", code="request_too_large"
    )


def too_slow(seconds: float) -> Rejected:
    """The body did not arrive in time."""
    return Rejected(
        408, f"The request body did not arrive within {seconds:g} seconds.", code="request_timeout"
    )


def unknown_model(model: str) -> Rejected:
    """No target serves it."""
    return Rejected(
        404,
        f"The model '{model}' does not exist here. GET /v1/models lists what does.",
        code="model_not_found",
        param="model",
    )


def unavailable(
    message: str, *, code: str = "ledger_unavailable", retry_after: int = 2
) -> Rejected:
    """The gateway cannot decide now; nothing was sent upstream."""
    return Rejected(503, message, code=code, kind="service_unavailable", retry_after=retry_after)


def internal() -> Rejected:
    """Something nobody foresaw; it is in the log with the request id."""
    return Rejected(
        500, "The gateway failed to handle the request.", code="internal_error", kind="server_error"
    )
