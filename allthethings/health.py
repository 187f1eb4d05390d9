"""Whether the database, its indexes, Replicate and Hookdeck answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import httpx

from allthethings.errors import IndexingError, ServiceUnavailable
from allthethings.mongo import Database
from allthethings.store.indexes import missing_indexes

# Seconds to wait for the answer of a service.
TIMEOUT = 3.0
REPLICATE_URL = "https://api.replicate.com"

Check = Callable[[], None]


def checks(
    database: Database, replicate_url: str, replicate_token: str, webhook_url: str
) -> Mapping[str, Check]:
    """The parts by name; each check raises IndexingError with the reason."""
    gateway = urlsplit(webhook_url)
    return {
        "mongodb": database.ping,
        "indexes": lambda: _require_indexes(database),
        "replicate": lambda: _answers(
            "Replicate",
            f"{(replicate_url or REPLICATE_URL).rstrip('/')}/v1/account",
            {"Authorization": f"Bearer {replicate_token}"},
            accepted=range(200, 300),
        ),
        "hookdeck": lambda: _answers(
            "Hookdeck", f"{gateway.scheme}://{gateway.netloc}/", {}, accepted=range(200, 500)
        ),
    }


def report(parts: Mapping[str, Check]) -> dict[str, str]:
    """What each part says: 'ok', or why it is not."""
    return {name: _state(check) for name, check in parts.items()}


def _state(check: Check) -> str:
    try:
        check()
    except IndexingError as error:
        return str(error)
    return "ok"


def _require_indexes(database: Database) -> None:
    missing = missing_indexes(database.database)
    if missing:
        raise ServiceUnavailable(
            f"Index {', '.join(missing)}", "run create-indexes.py, or wait until it is built"
        )


def _answers(service: str, url: str, headers: Mapping[str, str], accepted: range) -> None:
    try:
        response = httpx.get(url, headers=dict(headers), timeout=TIMEOUT)
    except httpx.HTTPError as error:
        raise ServiceUnavailable(service, "no answer") from error
    if response.status_code not in accepted:
        raise ServiceUnavailable(service, f"it answered {response.status_code}")
