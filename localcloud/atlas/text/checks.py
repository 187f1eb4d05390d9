"""Reading what a search stage was given, with complaints in the words of the search engine behind
Atlas: the path of the field in quotes, then what it must be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from localcloud.atlas.wire.errors import QueryError


@dataclass(frozen=True)
class Spec:
    """A document of a query and the path to it, which is empty at the top."""

    document: Mapping[str, Any]
    where: str

    @classmethod
    def of(cls, value: object, where: str) -> Spec:
        if not isinstance(value, Mapping):
            raise QueryError(f'"{where}" must be a document')
        return cls(value, where)

    def path(self, key: str) -> str:
        return f"{self.where}.{key}" if self.where else key

    def fail(self, key: str, complaint: str) -> NoReturn:
        raise QueryError(f'"{self.path(key)}" {complaint}')

    def only(self, *known: str) -> None:
        for key in self.document:
            if key not in known:
                prefix = f'"{self.where}" ' if self.where else ""
                raise QueryError(f'{prefix}unrecognized field "{key}"')

    def unsupported(self, *keys: str) -> None:
        """Refuse what the search engine does and this server does not."""
        for key in keys:
            if self.document.get(key, False) not in (None, False):
                self.fail(key, "is not supported by this server")

    def has(self, key: str) -> bool:
        return key in self.document

    def required(self, key: str) -> Any:
        value = self.document.get(key)
        if value is None:
            self.fail(key, "is required")
        return value

    def string(self, key: str) -> str:
        value = self.required(key)
        if not isinstance(value, str):
            self.fail(key, "must be a string")
        if not value:
            self.fail(key, "cannot be empty")
        return value

    def choice(self, key: str, allowed: tuple[str, ...], default: str) -> str:
        value = self.document.get(key, default)
        if value not in allowed:
            self.fail(key, f"must be one of [{', '.join(allowed)}]")
        return str(value)

    def integer(self, key: str, default: int, low: int, high: int | None = None) -> int:
        value = self.document.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fail(key, "must be a number")
        if not float(value).is_integer():
            self.fail(key, "must be an integer")
        if value < low or (high is not None and value > high):
            least = {0: "cannot be negative", 1: "must be positive"}.get(low)
            bounds = f"must be within bounds [{low}..{high}]"
            self.fail(key, least if least and high is None else bounds)
        return int(value)

    def number(self, key: str) -> float:
        value = self.required(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fail(key, "must be a number")
        return float(value)

    def inner(self, key: str) -> Spec:
        return Spec.of(self.required(key), self.path(key))

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
                raise QueryError(f'"{where}" must be a string')
            if not item:
                raise QueryError(f'"{where}" cannot be empty')
        return tuple(item for _, item in self.items(key))
