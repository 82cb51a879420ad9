"""Who calls /v1: a bearer token, or the session of a person on our own pages."""

from dataclasses import dataclass

from rest_framework.authentication import (
    BaseAuthentication,
    SessionAuthentication,
    get_authorization_header,
)
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from keeptrusts.lib.client_address import client_address
from wallets import keys, tenancy
from wallets.models import ApiToken
from wallets.tenancy import Actor

REALM = 'Bearer realm="keeptrusts"'
MAX_SECRET = 200


@dataclass(frozen=True)
class Caller:
    """``request.user`` of the API: somebody whose actor is known."""

    actor: Actor
    is_authenticated: bool = True

    @property
    def public_id(self) -> str:
        """Public id of the person or token."""
        return self.actor.public_id


class BearerAuthentication(BaseAuthentication):
    """``Authorization: Bearer kt_live_…``."""

    def authenticate(self, request: Request) -> tuple[Caller, ApiToken] | None:
        """The caller of a valid token; raises ``AuthenticationFailed`` for any other."""
        words = get_authorization_header(request).split()
        if not words:
            return None
        if words[0].lower() != b"bearer" or len(words) != 2 or len(words[1]) > MAX_SECRET:
            raise AuthenticationFailed('Send "Authorization: Bearer kt_live_…", an API token.')
        token = keys.authenticate(words[1].decode("latin-1"))
        if token is None:
            raise AuthenticationFailed("The API token is unknown, expired or revoked.")
        address = client_address(request._request) or None
        return Caller(tenancy.of_token(token, address=address)), token

    def authenticate_header(self, request: Request) -> str:
        """What a 401 asks for."""
        return REALM


class SameOriginAuthentication(SessionAuthentication):
    """The session of a signed-in person; changes need the CSRF token."""

    def authenticate(self, request: Request) -> tuple[Caller, None] | None:
        """The signed-in person as a caller, or None."""
        found = super().authenticate(request)
        if found is None:
            return None
        address = client_address(request._request) or None
        return Caller(tenancy.of_user(found[0], address=address)), None
