"""The one error body of /v1: ``{"error": {"type", "code", "message", "details"}}``.

Every exception becomes one here, unforeseen ones included; amounts in details leave as dollars.
"""

import logging
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response

from keeptrusts.lib import money
from wallets.errors import Refused
from wallets.models import Wallet

log = logging.getLogger(__name__)

TYPES = {
    401: "authentication_error",
    402: "budget_exceeded",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
    503: "unavailable_error",
}
AMOUNTS = frozenset(
    {
        *("amount", "available", "balance", "cap", "charged", "credited", "debt", "held", "limit"),
        *("needed", "spent", "total"),
    }
)
"""Details that are nano-dollars."""
INTERNAL = frozenset({"counter", "status_hint", "draw_cap", "contended"})
"""Details that name rows of ours and mean nothing to a caller."""
RETRY_SECONDS = 1


def handle(error: Exception, _context: Mapping[str, Any]) -> Response:
    """The answer to any exception that a view raised."""
    if isinstance(error, Refused):
        return _refusal(error)
    if isinstance(error, money.InvalidAmount):
        return _invalid({error.field: [error.message]}, error.code)
    if isinstance(error, exceptions.ValidationError):
        return _invalid(_flat(error.detail), _only_code(error))
    if isinstance(error, exceptions.APIException):
        return _of_framework(error)
    return _of_django(error)


def body(status: int, code: str, message: str, details: Mapping[str, Any] | None = None) -> Any:
    """The error body itself."""
    kind = TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {
        "error": {"type": kind, "code": code, "message": message, "details": dict(details or {})}
    }


def _answer(
    status: int,
    code: str,
    message: str,
    details: Mapping[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    return Response(body(status, code, message, details), status=status, headers=headers)


def _refusal(error: Refused) -> Response:
    headers = {"Retry-After": str(RETRY_SECONDS)} if error.status == 503 else None
    field = error.details.get("field")
    message = _about(str(field), error.message) if field else error.message
    return _answer(error.status, error.code, message, _details(error.details), headers)


def _details(details: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, value in details.items():
        if name in INTERNAL:
            continue
        if name == "wallet_id" and isinstance(value, int):
            shown["wallet"] = _public_ids([value]).get(value)
        elif name == "balances" and isinstance(value, Mapping):
            ids = _public_ids(value)
            shown["balances"] = {ids[pk]: money.dollars(nanos) for pk, nanos in value.items()}
        elif name in AMOUNTS and isinstance(value, int):
            shown[name] = money.dollars(value)
        else:
            shown[name] = value
    return shown


def _public_ids(keys: Any) -> dict[int, str]:
    return dict(Wallet.objects.filter(pk__in=list(keys)).values_list("pk", "public_id"))


def _invalid(fields: Mapping[str, list[str]], code: str) -> Response:
    """422: the message speaks of the first field, the details of all."""
    name, problems = next(iter(fields.items()))
    details = {"field": name, "fields": dict(fields)}
    return _answer(422, code, _about(name, problems[0]), details)


def _about(field: str, problem: str) -> str:
    return f"{field} {problem}" if problem[:1].islower() else f"{field}: {problem}"


def _flat(detail: Any, path: str = "") -> dict[str, list[str]]:
    """Field → problems, nested fields as ``targets.0.amount``."""
    found: dict[str, list[str]] = {}
    if isinstance(detail, Mapping):
        parts = [(str(key), value) for key, value in detail.items()]
    elif isinstance(detail, list) and any(isinstance(item, Mapping | list) for item in detail):
        parts = [(str(index), item) for index, item in enumerate(detail)]
    else:
        problems = detail if isinstance(detail, list) else [detail]
        return {path or "body": [str(problem) for problem in problems]} if problems else {}
    for name, value in parts:
        inner = path if name == "non_field_errors" else ".".join(filter(None, (path, name)))
        found |= _flat(value, inner)
    return found


def _only_code(error: exceptions.ValidationError) -> str:
    """The code where all problems share one of ours, else ``invalid_input``."""
    codes = set(_codes(error.get_codes()))
    ours = {
        *("invalid_amount", "invalid_cursor", "invalid_limit", "invalid_body"),
        *("unknown_field", "unknown_filter", "unsupported_currency"),
    }
    return codes.pop() if len(codes) == 1 and codes <= ours else "invalid_input"


def _codes(codes: Any) -> list[str]:
    if isinstance(codes, Mapping):
        codes = list(codes.values())
    if isinstance(codes, list):
        return [code for item in codes for code in _codes(item)]
    return [str(codes)]


def _of_framework(error: exceptions.APIException) -> Response:
    headers: dict[str, str] = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(max(1, int(wait)))
    code = error.get_codes()
    text = code if isinstance(code, str) else "invalid_input"
    return _answer(error.status_code, text, str(error.detail), None, headers)


def _of_django(error: Exception) -> Response:
    if isinstance(error, Http404):
        return _answer(404, "not_found", "There is no such thing here.")
    if isinstance(error, PermissionDenied):
        return _answer(403, "forbidden", "Your role does not allow this.")
    if isinstance(error, RequestDataTooBig):
        return _answer(413, "body_too_large", "The request body is too large.")
    if isinstance(error, SuspiciousOperation):
        return _answer(400, "bad_request", "The request is malformed.")
    if isinstance(error, OperationalError | InterfaceError):
        log.error("the database failed a request of the API", exc_info=error)
        message = "The database is away; try again."
        retry = {"Retry-After": str(RETRY_SECONDS)}
        return _answer(503, "database_unavailable", message, None, retry)
    log.error("unforeseen error in the API", exc_info=error)
    return _answer(500, "internal_error", "Something went wrong on our side; nothing is lost.")
