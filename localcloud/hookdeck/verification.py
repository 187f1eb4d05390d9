"""Whether a request comes from the provider that its source expects. Pure but for the clock."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable

from standardwebhooks.webhooks import (
    EmptyWebhookSecretError,
    Webhook,
    WebhookVerificationError,
)

from localcloud.hookdeck.models import Endpoint, Json, Received

# Providers that sign as Standard Webhooks describes; the library allows 5 minutes of clock
# difference and takes several signatures in one header.
STANDARD_WEBHOOKS = frozenset({"REPLICATE", "SVIX", "OPENAI", "RESEND"})
GENERIC_AUTH = frozenset({"HMAC", "BASIC_AUTH", "API_KEY"})
# Types whose own `auth_type` says how they are verified; without one they are open.
AUTH_TYPES = {"WEBHOOK": GENERIC_AUTH | STANDARD_WEBHOOKS, "HTTP": GENERIC_AUTH}
SOURCE_TYPES = frozenset(AUTH_TYPES) | STANDARD_WEBHOOKS


def auth_type(source_type: str, config: Json) -> str | None:
    """The kind of credential a source of this type and configuration checks; None: none."""
    if not config.get("auth"):
        return None
    return config.get("auth_type") if source_type in AUTH_TYPES else source_type


def verify(source: Endpoint, received: Received) -> bool | None:
    """True or False for a source with credentials, None for one that checks nothing."""
    kind = auth_type(source.type, source.config)
    if kind is None:
        return None
    if kind in STANDARD_WEBHOOKS:
        return _standard(source.auth, received)
    return _CHECKS[kind](source.auth, received)


def check_standard_secret(secret: str) -> None:
    """Raises ValueError when the secret is not one that Standard Webhooks can use."""
    try:
        Webhook(secret)
    except (ValueError, EmptyWebhookSecretError) as error:
        raise ValueError("not a Standard Webhooks secret (whsec_ and base64)") from error


def _standard(auth: Json, received: Received) -> bool:
    headers = {
        f"webhook-{part}": received.header(f"webhook-{part}") or received.header(f"svix-{part}")
        for part in ("id", "timestamp", "signature")
    }
    known = {name: value for name, value in headers.items() if value is not None}
    try:
        Webhook(auth["webhook_secret_key"]).verify(received.body, known, json_parse=False)
    except (WebhookVerificationError, ValueError):
        # ValueError: a signature that is not 'v1,base64', or a body that is not UTF-8, which
        # the library cannot sign.
        return False
    return True


def _api_key(auth: Json, received: Received) -> bool:
    return _same(received.header(auth["header_key"].lower()), auth["api_key"])


def _basic(auth: Json, received: Received) -> bool:
    pair = f"{auth['username']}:{auth['password']}".encode()
    return _same(received.header("authorization"), f"Basic {base64.b64encode(pair).decode()}")


def _hmac(auth: Json, received: Received) -> bool:
    key = auth["webhook_secret_key"].encode()
    digest = hmac.new(key, received.body, getattr(hashlib, auth["algorithm"])).digest()
    expected = _ENCODINGS[auth["encoding"]](digest)
    given = received.header(auth["header_key"].lower())
    # Many providers write the algorithm before the value: sha256=...
    return _same(given, expected) or _same(given, f"{auth['algorithm']}={expected}")


def _same(given: str | None, expected: str) -> bool:
    return given is not None and hmac.compare_digest(given.encode(), expected.encode())


_ENCODINGS: dict[str, Callable[[bytes], str]] = {
    "hex": bytes.hex,
    "base64": lambda digest: base64.b64encode(digest).decode(),
    "base64url": lambda digest: base64.urlsafe_b64encode(digest).decode(),
}
_CHECKS: dict[str, Callable[[Json, Received], bool]] = {
    "API_KEY": _api_key,
    "BASIC_AUTH": _basic,
    "HMAC": _hmac,
}
