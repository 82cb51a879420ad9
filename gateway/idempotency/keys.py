"""Who a key belongs to, and what was asked with it."""

import hashlib

from gateway.proxy import identity
from gateway.proxy.call import Call
from gateway.proxy.errors import Rejected

HEADER = b"idempotency-key"
MAX_LENGTH = 255


def given(call: Call) -> bytes | None:
    """The header's value; None without one. Raises a 400 for what is no key."""
    value = call.exchange.headers.get(HEADER)
    if value is None:
        return None
    if not 1 <= len(value) <= MAX_LENGTH or not all(0x20 <= byte <= 0x7E for byte in value):
        raise Rejected(
            400,
            f"The header Idempotency-Key must be 1 to {MAX_LENGTH} printable ASCII characters.",
            code="invalid_idempotency_key",
            param="Idempotency-Key",
        )
    return value


def digest(call: Call, value: bytes) -> str:
    """One key of one credential for one route of one organisation."""
    credential = identity.presented(call.exchange.headers).encode("utf-8", "surrogateescape")
    parts = (
        str(call.caller.organization_id).encode(), credential, call.route.path.encode(), value,
    )  # fmt: skip
    scope = b"".join(hashlib.sha256(part).digest() for part in parts)
    return hashlib.sha256(scope).hexdigest()


def fingerprint(body: bytes) -> str:
    """Equal for equal bodies, byte for byte."""
    return hashlib.sha256(body).hexdigest()
