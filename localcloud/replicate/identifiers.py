"""Ids and times as Replicate writes them."""

from __future__ import annotations

import secrets
from base64 import b32encode
from datetime import UTC, datetime


def new_id() -> str:
    """An id of 26 characters in lower-case base 32."""
    return b32encode(secrets.token_bytes(16)).decode().rstrip("=").lower()


def timestamp(moment: datetime | None = None) -> str:
    """UTC in ISO 8601 with microseconds and Z, so that the order of texts is that of times."""
    return (moment or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
