"""What a request for a prediction asks: its body and headers, checked."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from localcloud.replicate.predictions import DEFAULT_EVENTS
from localcloud.replicate.problems import unprocessable

EVENTS = ["start", "output", "logs", "completed"]
MAX_WAIT = 60
_LEAST_LIFE = timedelta(seconds=5)
_DURATION = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s?)?")


@dataclass(frozen=True)
class Asked:
    """A request for a prediction. `version` is as given, `wait` the seconds of Prefer: wait."""

    input: dict[str, Any]
    version: str | None
    webhook: str | None
    events: list[str]
    wait: int | None
    cancel_after: timedelta | None


def read_request(body: Any, headers: Mapping[str, str]) -> Asked:
    """Raises the Problem to answer."""
    if not isinstance(body, dict):
        raise unprocessable("The request body must be a JSON object.")
    given = body.get("input", {})
    if not isinstance(given, dict):
        raise unprocessable("input must be an object")
    version = body.get("version")
    if version is not None and not isinstance(version, str):
        raise unprocessable("version must be a string")
    webhook, events = _webhook(body)
    wait, life = _wait(headers.get("prefer", "")), _duration(headers.get("cancel-after"))
    return Asked(given, version, webhook, events, wait, life)


def _webhook(body: dict[str, Any]) -> tuple[str | None, list[str]]:
    """The URL and the events. `webhook_completed` is the SDK's older way to ask for one."""
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
    """https, or http to loopback, where no certificate can be had."""
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


def _duration(text: str | None) -> timedelta | None:
    if text is None:
        return None
    match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        raise unprocessable("Cancel-After must be a duration such as 90s, 5m or 1h30m")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    life = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if life < _LEAST_LIFE:
        raise unprocessable("Cancel-After must be at least 5 seconds")
    return life
