"""Who is calling: a key in ``X-Consumer-Group``, ``Authorization: Bearer`` or ``x-api-key``."""

from collections.abc import Mapping
from datetime import datetime

from gateway.proxy import errors
from gateway.snapshot import Caller, Snapshot
from gateway.snapshot.cards import digest

MISSING = (
    "No key was given: send it as 'X-Consumer-Group', as 'Authorization: Bearer …' or 'x-api-key'."
)
UNKNOWN = "The key is not valid: it is unknown, revoked or expired."


def identify(headers: Mapping[bytes, bytes], snapshot: Snapshot, now: datetime) -> Caller:
    """The caller; raises a 401 that says nothing about which keys exist."""
    secret = presented(headers)
    if not secret:
        raise errors.unauthenticated(MISSING)
    caller = snapshot.callers.get(digest(secret))
    if caller is None or (caller.expires_at is not None and caller.expires_at <= now):
        raise errors.unauthenticated(UNKNOWN)
    return caller


def presented(headers: Mapping[bytes, bytes]) -> str:
    """The key as it was sent; the header that is only ours wins."""
    group = headers.get(b"x-consumer-group")
    if group is not None:
        return group.decode("latin-1").strip()
    scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").strip().partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return headers.get(b"x-api-key", b"").decode("latin-1").strip()
