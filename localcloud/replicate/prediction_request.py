"""Checks the body and the headers of a request for a prediction."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from localcloud.replicate.problems import unprocessable

# The most seconds, and the default, for which Prefer: wait holds an answer back.
MAX_WAIT = 60
# Seconds that Cancel-After gives a prediction, at least.
MIN_LIFETIME = 5
_LIFETIME = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s?)?")


@dataclass(frozen=True)
class PredictionRequest:
    """A checked request. `wait` is the number of seconds of Prefer: wait, None without it.

    `lifetime` is how long the prediction may take. The webhook is sent once, at its end.
    """

    input: dict[str, Any]
    version: str | None
    webhook: str | None
    wait: int | None
    lifetime: timedelta | None


def read_request(body: Any, headers: Mapping[str, str]) -> PredictionRequest:
    """Raises Problem."""
    if not isinstance(body, dict):
        raise unprocessable("The request body must be a JSON object.")
    given = body.get("input", {})
    if not isinstance(given, dict):
        raise unprocessable("input must be an object")
    version = body.get("version")
    if version is not None and not isinstance(version, str):
        raise unprocessable("version must be a string")
    wait, lifetime = _wait(headers.get("prefer", "")), _lifetime(headers.get("cancel-after"))
    return PredictionRequest(given, version, _webhook(body), wait, lifetime)


def _webhook(body: dict[str, Any]) -> str | None:
    url, events = body.get("webhook"), body.get("webhook_events_filter")
    if url is None:
        return None
    if not isinstance(url, str) or not _acceptable(url):
        raise unprocessable("webhook must be an HTTPS URL")
    if events not in (None, ["completed"]):
        message = "This local stand-in sends webhooks of the event completed alone."
        raise unprocessable(f"webhook_events_filter: {message}")
    return url


def _acceptable(url: str) -> bool:
    """Whether the URL is https, or http to this machine, which can have no certificate."""
    if not url.isprintable():
        return False
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(host)
    return parts.scheme == "http" and (host == "localhost" or _is_loopback(host))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _wait(prefer: str) -> int | None:
    for preference in prefer.split(","):
        name, _, value = preference.strip().partition("=")
        if name.strip().lower() == "wait":
            seconds = int(value) if re.fullmatch(r"\d{1,6}", value.strip()) else MAX_WAIT
            return min(max(seconds, 1), MAX_WAIT)
    return None


def _lifetime(cancel_after: str | None) -> timedelta | None:
    if cancel_after is None:
        return None
    parts = _LIFETIME.fullmatch(cancel_after.strip())
    hours, minutes, seconds = (int(part or 0) for part in parts.groups()) if parts else (0, 0, 0)
    lifetime = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if lifetime < timedelta(seconds=MIN_LIFETIME):
        raise unprocessable(
            f"Cancel-After must be a duration of at least {MIN_LIFETIME} seconds, such as 1h30m45s"
        )
    return lifetime
