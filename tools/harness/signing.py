"""How the gateway signs what it delivers."""

from __future__ import annotations

import base64
import hashlib
import hmac

SIGNATURE = "x-hookdeck-signature"
SECOND_SIGNATURE = "x-hookdeck-signature-2"


def signature(secret: str, body: bytes) -> str:
    """The value of the header."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
