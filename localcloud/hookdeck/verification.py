"""Checks whether a request comes from the provider that its source expects."""

from __future__ import annotations

from standardwebhooks.webhooks import (
    EmptyWebhookSecretError,
    Webhook,
    WebhookVerificationError,
)

from localcloud.hookdeck.models import Endpoint, Headers


def verify(source: Endpoint, headers: Headers, body: bytes) -> bool | None:
    """Whether the signature is right; None for a source without a secret.

    Replicate signs as Standard Webhooks describes. The library allows 5 minutes of clock
    difference and several signatures in one header.
    """
    if not source.auth:
        return None
    given = {name.lower(): value for name, value in reversed(headers)}  # the first of each name
    try:
        secret = source.auth["webhook_secret_key"]
        Webhook(secret).verify(body, given, json_parse=False)
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
