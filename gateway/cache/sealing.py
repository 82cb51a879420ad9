"""Encryption of kept answers, and names for them that tell nothing."""

import base64
import hashlib
import hmac

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from keeptrusts.lib import sealing

Tampered = sealing.Tampered


class Seal(sealing.Seal):
    """Names are derived from the first field key: after a rotation older entries expire unread."""

    def __init__(self) -> None:
        super().__init__("response cache")
        secret = base64.urlsafe_b64decode(settings.FIELD_KEYS[0])
        info = b"keeptrusts names in the response cache"
        self._names = HKDF(hashes.SHA256(), length=32, salt=None, info=info).derive(secret)

    def name(self, text: str) -> str:
        """Where ``text`` is kept: whoever reads names learns and guesses nothing from them."""
        return hmac.new(self._names, text.encode(), hashlib.sha256).hexdigest()
