"""Requests to Hookdeck's API, each group of them within one bounded wait.

Whatever is wrong with an answer is ServiceUnavailable or RequestRefused, and neither has the key in
it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx
from pydantic import TypeAdapter

from allthethings.errors import RequestRefused, ServiceUnavailable
from allthethings.hookdeck.records import SERVICE, Listing, Record, read_list
from allthethings.redaction import without

Query = Mapping[str, str | int | Sequence[str]]


class Api:
    """One serves any number of threads."""

    def __init__(self, base_url: str, key: str) -> None:
        self._base_url = base_url
        self._key = key
        self._tls = httpx.create_ssl_context()

    @contextlib.contextmanager
    def session(self, seconds: float) -> Iterator[Session]:
        """Requests that wait no longer than so many seconds together."""
        with httpx.Client(
            base_url=self._base_url,
            headers={"Authorization": f"Bearer {self._key}"},
            verify=self._tls,
        ) as http:
            yield Session(http, self._key, time.monotonic() + seconds)


class Session:
    """The requests of one page, or of one button."""

    def __init__(self, http: httpx.Client, key: str, end: float) -> None:
        self._http = http
        self._key = key
        self._end = end

    def list(self, path: str, query: Query, kind: TypeAdapter[Listing[Record]]) -> Listing[Record]:
        """A page of a list."""
        return read_list(kind, self.ask("GET", path, params=dict(query)))

    def ask(self, method: str, path: str, **more: Any) -> Mapping[str, Any]:
        """The JSON object that is answered."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise ServiceUnavailable(SERVICE, "it does not answer in time")
        try:
            response = self._http.request(method, path, timeout=left, **more)
        except httpx.HTTPError:
            # The cause may quote the key in a header.
            raise ServiceUnavailable(SERVICE, "it does not answer") from None
        code = response.status_code
        if code >= 500 or code == 429:
            raise ServiceUnavailable(SERVICE, f"it answered {code}")
        if code in (401, 403):
            raise RequestRefused(f"The gateway refuses HOOKDECK_PROJECT_API_KEY ({code}).")
        try:
            answer = response.json()
        except ValueError:
            raise ServiceUnavailable(SERVICE, f"it answered {code} without JSON") from None
        if not isinstance(answer, Mapping):
            raise ServiceUnavailable(SERVICE, f"it answered {code} without an object")
        if code >= 300:
            said = without(str(answer.get("message", ""))[:200], {self._key})
            raise RequestRefused(f"The gateway refused the request ({code}): {said}")
        return answer
