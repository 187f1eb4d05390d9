"""Errors as MongoDB reports them: a reply that is not ok, with a code, its name and a message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CODES = {
    "InternalError": 1,
    "BadValue": 2,
    "UnknownError": 8,
    "FailedToParse": 9,
    "NamespaceNotFound": 26,
    "IndexNotFound": 27,
    "IndexAlreadyExists": 68,
    "InvalidNamespace": 73,
    "CommandNotSupported": 115,
    "Location40218": 40218,
    "Location40324": 40324,
    "Location40602": 40602,
    "OutOfDiskSpace": 14031,
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
