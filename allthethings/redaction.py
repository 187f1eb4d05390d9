"""Secrets do not leave in texts: neither in a log nor in what a service said."""

from __future__ import annotations

import logging
from collections.abc import Collection
from urllib.parse import unquote

HIDDEN = "[secret]"
SHORTEST = 6
"""Letters. Something shorter stands in many texts by chance."""


def without(text: str, secrets: Collection[str]) -> str:
    """The text with each of the secrets blotted out."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SHORTEST:
            text = text.replace(secret, HIDDEN)
    return text


def password_of(uri: str) -> str:
    """The password in a URI as it stands there; empty when it has none."""
    return uri.partition("://")[2].rpartition("@")[0].partition(":")[2]


def secrets_of(uri: str) -> set[str]:
    """What must not be seen of a connection string: itself, and its password in both spellings."""
    password = password_of(uri)
    return {uri, password, unquote(password)} if password else set()


class HidingFormatter(logging.Formatter):
    """Lines, and tracebacks with what caused them, without the secrets."""

    def __init__(self, layout: str, secrets: Collection[str]) -> None:
        super().__init__(layout)
        self._secrets = frozenset(secrets)

    def format(self, record: logging.LogRecord) -> str:
        return without(super().format(record), self._secrets)


def log_without(secrets: Collection[str]) -> None:
    """Log to stderr, with each of the secrets blotted out."""
    handler = logging.StreamHandler()
    handler.setFormatter(HidingFormatter("%(asctime)s %(levelname)s %(message)s", secrets))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)
