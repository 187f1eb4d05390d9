"""Errors as MongoDB reports them: a reply that is not ok, with a code, its name and a message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CODES = {
    "BadValue": 2,
    "UnknownError": 8,
    "FailedToParse": 9,
    "TypeMismatch": 14,
    "InvalidBSON": 22,
    "NamespaceNotFound": 26,
    "IndexNotFound": 27,
    "IndexAlreadyExists": 68,
    "InvalidNamespace": 73,
    "CommandNotSupported": 115,
    "CommandFailed": 125,
    "InvalidIndexSpecificationOption": 197,
    "Location40218": 40218,
    "Location40324": 40324,
    "Location40414": 40414,
    "Location40415": 40415,
    "Location40602": 40602,
    "Location15998": 15998,
    "Location16410": 16410,
    "Location16411": 16411,
    "Location16412": 16412,
    "Location9191100": 9191100,
    "Location9191103": 9191103,
    "Location9460300": 9460300,
    "Location9460301": 9460301,
    "Location9834300": 9834300,
    "Location9967500": 9967500,
    "Location10473002": 10473002,
}


class CommandError(Exception):
    """A command that is answered with `ok: 0`. `name` is one of CODES."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name
        self.message = message

    def reply(self) -> dict[str, Any]:
        """The reply document."""
        return {
            "ok": 0.0,
            "errmsg": self.message,
            "code": CODES[self.name],
            "codeName": self.name,
        }


class ServerError(CommandError):
    """An error that the server behind the proxy returned for a part of the command."""

    def __init__(self, details: Mapping[str, Any]) -> None:
        super().__init__("UnknownError", str(details.get("errmsg")))
        self._details = details

    def reply(self) -> dict[str, Any]:
        kept = ("errmsg", "code", "codeName")
        return {"ok": 0.0, **{key: self._details[key] for key in kept if key in self._details}}


class QueryError(CommandError):
    """A search stage that the index cannot answer.

    The messages of mongot, the search engine behind Atlas, reach drivers with this prefix and
    this code.
    """

    def __init__(self, message: str) -> None:
        super().__init__(
            "UnknownError", f"PlanExecutor error during aggregation :: caused by :: {message}"
        )
