"""Refusals in MongoDB's manner: a code, its name and a message, in a reply that is not ok."""

from __future__ import annotations

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
    "Location40602": 40602,
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


class QueryError(CommandError):
    """A $vectorSearch that the index cannot answer; worded as the search engine behind Atlas
    does, whose messages reach the driver with this prefix and code."""

    def __init__(self, message: str) -> None:
        super().__init__(
            "UnknownError", f"PlanExecutor error during aggregation :: caused by :: {message}"
        )
