"""Keeps secrets out of logs and of what services say."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any
from urllib.parse import unquote

HIDDEN = "[secret]"
# Characters. Anything shorter occurs in many texts by chance.
MIN_SECRET = 6


def without(text: str, secrets: Collection[str]) -> str:
    """The text with each of the secrets blotted out."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= MIN_SECRET:
            text = text.replace(secret, HIDDEN)
    return text


def password_of(uri: str) -> str:
    """The password in a URI as it stands there; empty when it has none."""
    return uri.partition("://")[2].rpartition("@")[0].partition(":")[2]


def secrets_of(uri: str) -> set[str]:
    """The secrets in a connection string: itself, and its password, encoded and decoded."""
    password = password_of(uri)
    return {uri, password, unquote(password)} if password else set()


class HidingFormatter(logging.Formatter):
    """Formats records and their tracebacks with the secrets blotted out.

    What others wrote, such as the path of a request, cannot begin a line of the log: a message is
    one line, and the lines of a traceback are indented.
    """

    def __init__(self, layout: str, secrets: Collection[str]) -> None:
        super().__init__(layout)
        self._secrets = frozenset(secrets)

    def format(self, record: logging.LogRecord) -> str:
        return without(super().format(record), self._secrets)

    def formatMessage(self, record: logging.LogRecord) -> str:
        return _escaped(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:
        lines = super().formatException(ei).splitlines()
        return "\n".join(f"  {_escaped(line)}" for line in lines)


def _escaped(text: str) -> str:
    """The text with every character that is not printed, such as a line break, as an escape."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def log_without(secrets: Collection[str]) -> None:
    """Log to stderr, with each of the secrets blotted out."""
    handler = logging.StreamHandler()
    handler.setFormatter(HidingFormatter("%(asctime)s %(levelname)s %(message)s", secrets))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)
