"""Reads the options of a stage or an index definition, and complains about the wrong ones.

The complaints are worded as mongot, the search engine behind Atlas, words them: the path of the
option in quotes, then what it must be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn, Self

from localcloud.atlas.wire.errors import CommandError, QueryError


@dataclass(frozen=True)
class Options:
    """A document of options. `where` is the path to it, which is empty at the top of a stage.

    Every method raises the exception that `error` makes of the complaint.
    """

    document: Mapping[str, Any]
    where: str = ""
    error: Callable[[str], CommandError] = QueryError

    def path(self, key: str) -> str:
        """The full path of an option."""
        return f"{self.where}.{key}" if self.where else key

    def fail(self, key: str, complaint: str) -> NoReturn:
        """Refuse an option."""
        raise self.error(f'"{self.path(key)}" {complaint}')

    def fail_here(self, complaint: str) -> NoReturn:
        """Refuse the whole document."""
        raise self.error(f'"{self.where}" {complaint}' if self.where else complaint)

    def missing(self, key: str) -> NoReturn:
        self.fail(key, "is required")

    def mistyped(self, key: str, kind: str) -> NoReturn:
        """Refuse a value that is not `kind`, such as "a string"."""
        self.fail(key, f"must be {kind}")

    # Which options there are

    def only(self, *known: str) -> None:
        """Refuse every option that is not known."""
        for key in self.document:
            if key not in known:
                self.fail_here(f'unrecognized field "{key}"')

    def unsupported(self, *keys: str) -> None:
        """Refuse options that Atlas has and this server does not."""
        for key in keys:
            if self.document.get(key, False) not in (None, False):
                self.fail(key, "is not supported by this server")

    def has(self, key: str) -> bool:
        return key in self.document

    # Their values

    def required(self, key: str) -> Any:
        value = self.document.get(key)
        if value is None:
            self.missing(key)
        return value

    def string(self, key: str) -> str:
        """A string that is not empty."""
        value = self.required(key)
        if not isinstance(value, str):
            self.mistyped(key, "a string")
        if not value:
            self.fail(key, "cannot be empty")
        return value

    def choice(self, key: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        """One of the allowed strings. Without a default, the option is required."""
        value = self.required(key) if default is None else self.document.get(key, default)
        if value not in allowed:
            self.fail(key, f"must be one of [{', '.join(allowed)}]")
        return str(value)

    def boolean(self, key: str, *, default: bool = False) -> bool:
        value = self.document.get(key, default)
        if not isinstance(value, bool):
            self.mistyped(key, "a boolean")
        return value

    def integer(
        self, key: str, low: int, high: int | None = None, default: int | None = None
    ) -> int:
        """A whole number of any BSON type. Without a default, the option is required."""
        value = self.required(key) if default is None else self.document.get(key, default)
        if not _is_number(value) or not float(value).is_integer():
            self.mistyped(key, "an integer")
        if value < low or (high is not None and value > high):
            least = {0: "cannot be negative", 1: "must be positive"}.get(low)
            bounds = f"must be within bounds [{low}..{high}]"
            self.fail(key, least if least and high is None else bounds)
        return int(value)

    def number(self, key: str) -> float:
        value = self.required(key)
        if not _is_number(value):
            self.mistyped(key, "a number")
        return float(value)

    def inner(self, key: str) -> Self:
        """The options in a required document."""
        value = self.required(key)
        if not isinstance(value, Mapping):
            self.mistyped(key, "a document")
        return replace(self, document=value, where=self.path(key))

    def at(self, value: object, where: str) -> Self:
        """The options in a document found elsewhere, in an array for example."""
        if not isinstance(value, Mapping):
            raise self.error(f'"{where}" must be a document')
        return replace(self, document=value, where=where)

    def items(self, key: str) -> list[tuple[str, Any]]:
        """One value, or several in an array, each with its path."""
        value = self.required(key)
        if not isinstance(value, list):
            return [(self.path(key), value)]
        if not value:
            self.fail(key, "cannot be empty")
        return [(f"{self.path(key)}[{n}]", item) for n, item in enumerate(value)]

    def strings(self, key: str) -> tuple[str, ...]:
        """One non-empty string, or several in an array."""
        for where, item in self.items(key):
            if not isinstance(item, str):
                raise self.error(f'"{where}" must be a string')
            if not item:
                raise self.error(f'"{where}" cannot be empty')
        return tuple(item for _, item in self.items(key))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
