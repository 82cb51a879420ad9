"""Encryption of kept answers: only who has the field key reads them, and only in their place."""

import base64
import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

NONCE_BYTES = 12
PURPOSE = b"keeptrusts response cache"


class Tampered(ValueError):
    """Bytes that were not sealed here, or for another place."""


class Seal:
    """Keys for names and contents, derived from the first of ``KEEPTRUSTS_FIELD_KEY``.

    A new first key finds no older entry: they expire unread.
    """

    def __init__(self, field_key: str | None = None) -> None:
        secret = base64.urlsafe_b64decode(field_key or settings.FIELD_KEYS[0])
        self._names = _derived(secret, b"names")
        self._contents = AESGCM(_derived(secret, b"contents"))

    def name(self, text: str) -> str:
        """Where ``text`` is kept: whoever reads names learns and guesses nothing from them."""
        return hmac.new(self._names, text.encode(), hashlib.sha256).hexdigest()

    def close(self, plain: bytes, place: bytes) -> bytes:
        """``plain``, encrypted for ``place`` alone."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._contents.encrypt(nonce, plain, place)

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """The reverse of ``close``; raises ``Tampered``."""
        try:
            return self._contents.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place)
        except (InvalidTag, ValueError) as error:
            raise Tampered("not sealed here, or for another place") from error


def _derived(secret: bytes, use: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=PURPOSE + b", " + use).derive(
        secret
    )
