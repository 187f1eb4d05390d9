"""Requests to the app as they are, with nothing mended or encoded on their way."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from urllib.parse import urlsplit

from tools.harness.cloud import Cloud
from tools.harness.signing import SIGNATURE, signature


class Wire:
    """One connection that is kept open, and opened again when the app has closed it."""

    def __init__(self, cloud: Cloud) -> None:
        parts = urlsplit(cloud.address)
        self.secret = cloud.endpoints["HOOKDECK_WEBHOOK_SECRET"]
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)

    def close(self) -> None:
        self._connection.close()

    def signed(self, path: str, body: bytes) -> int:
        """The answer to a callback whose signature is right."""
        return self.call_back(path, body, {SIGNATURE: signature(self.secret, body)})

    def call_back(self, path: str, body: bytes, headers: Mapping[str, str | bytes]) -> int:
        """The answer to a callback; `path` is below /webhooks/."""
        told = {"Content-Type": "application/json", **headers}
        return self.ask("POST", f"/webhooks/{path}", body, told)

    def ask(self, method: str, path: str, body: bytes, headers: Mapping[str, str | bytes]) -> int:
        try:
            return self._ask(method, path, body, headers)
        except (http.client.RemoteDisconnected, ConnectionError):  # it was idle for too long
            self._connection.close()
            return self._ask(method, path, body, headers)

    def _ask(self, method: str, path: str, body: bytes, headers: Mapping[str, str | bytes]) -> int:
        self._connection.request(method, path, body, dict(headers))
        with self._connection.getresponse() as answer:
            answer.read()
            return answer.status
