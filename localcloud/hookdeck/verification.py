"""Checks whether a request comes from the provider that its source expects."""

from __future__ import annotations

from standardwebhooks.webhooks import (
    EmptyWebhookSecretError,
    Webhook,
    WebhookVerificationError,
)

from localcloud.hookdeck.models import Endpoint, Received

# The source types whose providers sign as Standard Webhooks describes. The library allows 5
# minutes of clock difference and several signatures in one header.
SIGNED_TYPES = frozenset({"REPLICATE", "SVIX", "OPENAI", "RESEND"})
# The source types that take every request.
OPEN_TYPES = frozenset({"WEBHOOK", "HTTP"})
SOURCE_TYPES = SIGNED_TYPES | OPEN_TYPES


def verify(source: Endpoint, received: Received) -> bool | None:
    """Whether the signature is right; None for a source without a secret."""
    if not source.auth:
        return None
    if source.type not in SIGNED_TYPES:  # stored by an older version that could verify it
        return False
    headers = {
        f"webhook-{part}": received.header(f"webhook-{part}") or received.header(f"svix-{part}")
        for part in ("id", "timestamp", "signature")
    }
    known = {name: value for name, value in headers.items() if value is not None}
    try:
        secret = source.auth["webhook_secret_key"]
        Webhook(secret).verify(received.body, known, json_parse=False)
    except (WebhookVerificationError, ValueError):
        # A ValueError is a signature that is not 'v1,<base64>', or a body that is not UTF-8,
        # which the library cannot sign.
        return False
    return True


def check_secret(secret: str) -> None:
    """Raises ValueError unless Standard Webhooks can use the secret."""
    try:
        Webhook(secret)
    except (ValueError, EmptyWebhookSecretError) as error:
        raise ValueError("not a Standard Webhooks secret (whsec_ and base64)") from error
