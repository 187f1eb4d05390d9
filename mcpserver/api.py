"""The app's HTTP API, with its refusals as sentences that a model can act on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
from mcp.server.mcpserver.exceptions import ToolError

# Seconds for one answer. A submission waits for the server of the URL.
TIMEOUT = 60.0


class Api:
    """A client of one app. Every failed request raises ToolError."""

    def __init__(self, url: str, token: str = "") -> None:
        self._url = url.rstrip("/")
        headers = {"Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._http = httpx.AsyncClient(headers=headers, timeout=TIMEOUT)

    async def get(self, path: str, **parameters: str | int) -> dict[str, Any]:
        return await self._request("GET", path, params=parameters)

    async def post(self, path: str, **form: str) -> dict[str, Any]:
        return await self._request("POST", path, data=form)

    async def close(self) -> None:
        await self._http.aclose()

    async def _request(self, method: str, path: str, **sent: Any) -> dict[str, Any]:
        try:
            answer = await self._http.request(method, f"{self._url}{path}", **sent)
        except httpx.TimeoutException as error:
            raise ToolError(f"The app at {self._url} did not answer in time.") from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise ToolError(
                f"No app answers at {self._url}: {error}. ALL_THE_THINGS_URL says where it is."
            ) from error
        told = _json_of(answer)
        if answer.is_success and told is not None:
            return dict(told)
        raise ToolError(_refusal(answer, told))


def _json_of(answer: httpx.Response) -> Mapping[str, Any] | None:
    """The JSON object of an answer; None for anything else."""
    try:
        told = answer.json()
    except ValueError:
        return None
    return told if isinstance(told, Mapping) else None


def _refusal(answer: httpx.Response, told: Mapping[str, Any] | None) -> str:
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return "The app asks for a token: ALL_THE_THINGS_TOKEN has to be one of its API_TOKENS."
    if told and told.get("error"):
        return str(told["error"])
    return f"{answer.url} answered {answer.status_code}, which is no answer of this app's API."
