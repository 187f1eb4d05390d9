"""Checks the body and the headers of a request for a prediction."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from localcloud.replicate.prediction_states import DEFAULT_EVENTS
from localcloud.replicate.problems import unprocessable

# The events that webhook_events_filter may name.
EVENTS = ["start", "output", "logs", "completed"]
# The most seconds, and the default, for which Prefer: wait holds an answer back.
MAX_WAIT = 60


@dataclass(frozen=True)
class PredictionRequest:
    """A checked request. `wait` is the number of seconds of Prefer: wait, None without it."""

    input: dict[str, Any]
    version: str | None
    webhook: str | None
    events: list[str]
    wait: int | None


def read_request(body: Any, headers: Mapping[str, str]) -> PredictionRequest:
    """Raises Problem."""
    if "cancel-after" in headers:
        raise unprocessable("This local stand-in does not support the header Cancel-After.")
    if not isinstance(body, dict):
        raise unprocessable("The request body must be a JSON object.")
    given = body.get("input", {})
    if not isinstance(given, dict):
        raise unprocessable("input must be an object")
    version = body.get("version")
    if version is not None and not isinstance(version, str):
        raise unprocessable("version must be a string")
    return PredictionRequest(given, version, *_webhook(body), _wait(headers.get("prefer", "")))


def _webhook(body: dict[str, Any]) -> tuple[str | None, list[str]]:
    """The URL of the webhook, and the events for which it is sent.

    `webhook_completed` is an older option of the SDK for the last event alone.
    """
    url, default = body.get("webhook"), DEFAULT_EVENTS
    if url is None and (url := body.get("webhook_completed")) is not None:
        default = ["completed"]
    if url is None:
        return None, []
    if not isinstance(url, str) or not _acceptable(url):
        raise unprocessable("webhook must be an HTTPS URL")
    events = body.get("webhook_events_filter")
    if events is None:
        return url, default
    if not isinstance(events, list) or any(event not in EVENTS for event in events):
        raise unprocessable(f"webhook_events_filter must hold only {', '.join(EVENTS)}")
    return url, events


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
