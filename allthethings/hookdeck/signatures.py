"""Is a callback signed by our gateway?

Hookdeck signs each delivery with base64(HMAC-SHA256(project secret, raw body)) in
`x-hookdeck-signature`; while a secret is rotated a second one is in `x-hookdeck-signature-2`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Protocol

from allthethings.errors import BadSignature

SIGNATURE_HEADERS = ("x-hookdeck-signature", "x-hookdeck-signature-2")


class Headers(Protocol):
    """The headers of a request: a mapping by lower-case names, or one that ignores case."""

    def get(self, name: str, /) -> str | None: ...


def require_signature(headers: Headers) -> None:
    """Raise BadSignature when no signature came, whatever the body is."""
    if not any(headers.get(name) for name in SIGNATURE_HEADERS):
        raise BadSignature("There is no signature.")


def verify_hookdeck(body: bytes, headers: Headers, secret: str) -> None:
    """Raise BadSignature unless one of the signatures is right for the bytes of `body`.

    Each comparison takes constant time.
    """
    expected = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest())
    given = [headers.get(name) or "" for name in SIGNATURE_HEADERS]
    matches = [
        hmac.compare_digest(expected, signature.encode("utf-8", "surrogateescape"))
        for signature in given
    ]
    if not any(matches):
        raise BadSignature("The signature does not match the body.")
