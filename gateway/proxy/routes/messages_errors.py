"""Refusals and failures in the words of Anthropic's API."""

from typing import Any

import orjson

from gateway.proxy.errors import Rejected, UpstreamFailure

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    409: "conflict_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def error_body(rejected: Rejected) -> bytes:
    """``{"type": "error", "error": {"type", "message", "code", …}}``.

    Anthropic's own error body passes as it is; any other provider's is put into this form.
    """
    body = rejected.body()
    value = orjson.loads(body)
    if value.get("type") == "error" and isinstance(rejected, UpstreamFailure):
        return body
    given: dict[str, Any] = value["error"]
    error = {
        "type": _TYPES.get(rejected.status, "api_error"),
        "message": str(given.get("message") or rejected.message),
        "code": given.get("code") or rejected.code,
    }
    for name in ("param", "details"):
        if given.get(name) is not None:
            error[name] = given[name]
    return orjson.dumps({"type": "error", "error": error})


def error_event(rejected: Rejected) -> bytes:
    """The same as the event that ends a stream."""
    return b"event: error\ndata: " + error_body(rejected) + b"\n\n"
