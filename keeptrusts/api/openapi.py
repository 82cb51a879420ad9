"""The description of the API: how one authenticates, and what every operation may answer."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

ERROR = {
    "type": "object",
    "description": "The one shape of every error.",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["type", "code", "message", "details"],
            "properties": {
                "type": {"type": "string", "example": "invalid_request_error"},
                "code": {"type": "string", "example": "invalid_amount"},
                "message": {
                    "type": "string",
                    "example": "amount must be greater than 0 US dollars.",
                },
                "details": {
                    "type": "object",
                    "description": "`field` and `fields` for bad input; amounts as dollars.",
                    "additionalProperties": True,
                },
            },
        }
    },
}
ALWAYS = {
    400: "The request is malformed: no JSON, or no UTF-8.",
    401: "No token, or one that is unknown, expired or revoked.",
    403: "The role or the scopes of the caller do not allow it.",
    404: "Unknown here, or of another organisation.",
    422: "Input that cannot be used; `details.field` names it.",
    429: "Too many calls; see `Retry-After`.",
    500: "Something went wrong on our side.",
    503: "The database is away; nothing was done. See `Retry-After`.",
}
WITH_BODY = {
    409: "The current state does not allow it.",
    413: "The body is larger than any operation needs.",
    415: "The body is not `application/json`.",
}
WITH_MONEY = {402: "The money is not there, or may not move."}
REFERENCE = {"$ref": "#/components/schemas/Error"}


class BearerScheme(OpenApiAuthenticationExtension):
    """``Authorization: Bearer kt_live_…``."""

    target_class = "wallets.api.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """An API token."""
        return {"type": "http", "scheme": "bearer", "description": "API token `kt_live_…`."}


class SessionScheme(OpenApiAuthenticationExtension):
    """The session of a signed-in person."""

    target_class = "wallets.api.authentication.SameOriginAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """The cookie of our own pages; changes need the CSRF token."""
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}


def add_errors(result: dict[str, Any], **_context: Any) -> dict[str, Any]:
    """Describe the error answers of every operation."""
    result.setdefault("components", {}).setdefault("schemas", {})["Error"] = ERROR
    for methods in result.get("paths", {}).values():
        for operation in methods.values():
            if isinstance(operation, dict) and "responses" in operation:
                _describe(operation)
    return result


def _describe(operation: dict[str, Any]) -> None:
    answers = dict(ALWAYS)
    if "requestBody" in operation:
        answers |= WITH_BODY
    else:
        answers[409] = WITH_BODY[409]
    if any(part["name"] == "Idempotency-Key" for part in operation.get("parameters", ())):
        answers |= WITH_MONEY
    for status, description in sorted(answers.items()):
        content = {"application/json": {"schema": REFERENCE}}
        operation["responses"].setdefault(
            str(status), {"description": description, "content": content}
        )
