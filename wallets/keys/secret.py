"""Secrets: how they look, how they are made, and what is kept of them."""

import hashlib
import secrets
from datetime import datetime

from django.utils import timezone

from wallets.errors import InvalidInput
from wallets.models import ApiToken, GatewayKey
from wallets.people import checks
from wallets.tenancy import Actor

LIVE, GROUP, PERSONAL = "kt_live_", "kt_cg_", "kt_user_"

RANDOM_BYTES = 24
SHOWN_DIGITS = 6
"""Of 192 random bits these hex digits stay visible; 168 bits nobody knows."""

NAME_LENGTH = 200


def digest(secret: str) -> str:
    """What is stored of a secret: SHA-256 over all of it, in hex."""
    return hashlib.sha256(secret.encode()).hexdigest()


def seal(credential: ApiToken | GatewayKey, kind: str, actor: Actor) -> str:
    """Give a credential a fresh secret and save it; the answer is the only copy of the secret."""
    secret = kind + secrets.token_hex(RANDOM_BYTES)
    credential.digest = digest(secret)
    credential.prefix = secret[: len(kind) + SHOWN_DIGITS]
    credential.created_by = actor.public_id
    credential.save()
    return secret


def check_name(name: str) -> str:
    """A name or none, or InvalidInput ``name``."""
    return checks.name(name, most=NAME_LENGTH) if name.strip() else ""


def check_expiry(expires_at: datetime | None) -> datetime | None:
    """A time to come or none, or InvalidInput ``expires_at``."""
    if expires_at is not None and expires_at <= timezone.now():
        raise InvalidInput("expires_at", "must be in the future.")
    return expires_at
