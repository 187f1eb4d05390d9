"""The gateway's connections: what they are, how they are made, where their URLs are noted.

After Hookdeck's API of 2025-07-01: PUT /connections creates or updates by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from dotenv import dotenv_values, set_key
from pydantic import BaseModel, ValidationError

from allthethings.errors import RequestRefused, ServiceUnavailable
from allthethings.redaction import without

API_VERSION = "2025-07-01"
# `count` is the number of retries after the first attempt, so a callback is delivered up to six
# times; `interval` is in milliseconds and doubles with each retry. The same body is refused with
# 400, 404 or 413 again; what the app answers otherwise may pass.
RETRY_RULE: Mapping[str, Any] = {
    "type": "retry",
    "strategy": "exponential",
    "count": 5,
    "interval": 30_000,
    "response_status_codes": ["!400", "!404", "!413"],
}


@dataclass(frozen=True)
class Connection:
    """One way through the gateway: from a source's URL to a path of the app.

    `variable` is the setting that tells the app the source's URL.
    """

    name: str
    path: str
    variable: str

    def payload(self, replicate_secret: str, app_url: str) -> dict[str, Any]:
        """The body of PUT /connections. Without `app_url` the Hookdeck CLI takes the deliveries."""
        if app_url:
            destination = {
                "name": self.name,
                "type": "HTTP",
                "config": {"url": f"{app_url}{self.path}"},
            }
        else:
            destination = {
                "name": f"cli-{self.name}",
                "type": "CLI",
                "config": {"path": self.path},
            }
        return {
            "name": self.name,
            "source": {
                "name": self.name,
                "type": "REPLICATE",
                "config": {"auth": {"webhook_secret_key": replicate_secret}},
            },
            "destination": destination,
            "rules": [dict(RETRY_RULE)],
        }


EMBEDDINGS = Connection("replicate-embedding", "/webhooks/embedding", "EMBEDDINGS_WEBHOOK_URL")


def connection_of(webhook: str) -> Connection:
    """The connection for the callbacks of a model that turns things into text."""
    variable = f"{webhook.replace('-', '_').upper()}_WEBHOOK_URL"
    return Connection(f"replicate-{webhook}", f"/webhooks/{webhook}", variable)


class _Source(BaseModel):
    url: str


class _Created(BaseModel):
    """A connection as the API answers it, as far as it is read."""

    source: _Source


def create_connections(
    connections: Iterable[Connection],
    api_url: str,
    api_key: str,
    replicate_secret: str,
    app_url: str,
) -> dict[str, str]:
    """Create or update the connections; returns the URL of each source by its variable."""
    with httpx.Client(
        base_url=f"{api_url.rstrip('/')}/{API_VERSION}",
        headers={"Authorization": f"Bearer {api_key}"},
        timeout=30.0,
    ) as client:
        try:
            return {
                connection.variable: _upsert(client, connection.payload(replicate_secret, app_url))
                for connection in connections
            }
        except RequestRefused as error:
            # A refusal may quote what it refuses.
            raise RequestRefused(without(str(error), {api_key, replicate_secret})) from None


def _upsert(client: httpx.Client, payload: Mapping[str, Any]) -> str:
    try:
        response = client.put("/connections", json=payload)
    except httpx.HTTPError as error:
        raise ServiceUnavailable("Hookdeck", f"no answer from {client.base_url.host}") from error
    if response.status_code >= 500:
        raise ServiceUnavailable("Hookdeck", f"it answered {response.status_code}")
    if response.status_code >= 400:
        raise RequestRefused(
            f"Hookdeck refused the connection {payload['name']} "
            f"({response.status_code}): {_reason(response)}"
        )
    try:
        return _Created.model_validate_json(response.content).source.url
    except ValidationError:
        raise RequestRefused("Hookdeck answered a connection without a source URL.") from None


def _reason(response: httpx.Response) -> str:
    try:
        body = response.json()
    except ValueError:
        return response.text[:200]
    details = body.get("data") if isinstance(body, Mapping) else None
    message = body.get("message") if isinstance(body, Mapping) else body
    return f"{message} {details}" if details else str(message)


def write_env(path: Path, values: Mapping[str, str]) -> list[str]:
    """Set the names in the file, keep every other line as it is. Returns the names that changed."""
    before = dotenv_values(path)
    changed = [name for name, value in values.items() if before.get(name) != value]
    for name in changed:
        set_key(path, name, values[name], quote_mode="never", follow_symlinks=True)
    return changed
