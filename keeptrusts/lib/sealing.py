"""Encryption of texts that are kept for a while: only who has the field key reads them, and only
in their place.
"""

import base64
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

NONCE_BYTES = 12


class Tampered(ValueError):
    """Bytes that were not sealed here, or for another purpose or place."""


class Seal:
    """AES-256-GCM with keys derived from ``KEEPTRUSTS_FIELD_KEY`` for one ``purpose``.

    The first field key encrypts, all decrypt: what was sealed before a rotation stays readable.
    """

    def __init__(self, purpose: str, field_keys: Sequence[str] | None = None) -> None:
        keys = settings.FIELD_KEYS if field_keys is None else field_keys
        self._ciphers = [AESGCM(_derived(key, purpose)) for key in keys]

    def close(self, plain: bytes, place: bytes) -> bytes:
        """``plain``, encrypted for ``place`` alone."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._ciphers[0].encrypt(nonce, plain, place)

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """The reverse of ``close``; raises ``Tampered``."""
        nonce, rest = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(nonce, rest, place)
            except (InvalidTag, ValueError):
                continue
        raise Tampered("not sealed here, or for another purpose or place")


def _derived(field_key: str, purpose: str) -> bytes:
    secret = base64.urlsafe_b64decode(field_key)
    return HKDF(
        algorithm=hashes.SHA256(), length=32, salt=None, info=f"keeptrusts {purpose}".encode()
    ).derive(secret)
