"""A list of things: what its entries tell, and when to look for new ones."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

# The most entries that one list may have; the rest is counted.
MAX_ENTRIES = 10_000
# Characters of an entry's identifier that is kept as it is. A longer one is kept as its SHA-256.
MAX_KEY = 500


@dataclass(frozen=True)
class Entry:
    """One entry of a list: the URL of a thing, and what the list says of it.

    `dated` is a year, month or day (ISO 8601). `key` tells the entry from the others of its list,
    also after its URL has changed; it is the URL where the list gives no identifier.
    """

    url: str
    title: str | None = None
    author: str | None = None
    dated: str | None = None
    key: str = ""

    def told(self) -> dict[str, Any]:
        """What the list says of the thing, by the names of an asset's fields."""
        said = {"title": self.title, "author": self.author, "dated": self.dated}
        return {name: value for name, value in said.items() if value}


@dataclass(frozen=True)
class Listing:
    """What a list says. `noun` is what it is called in sentences, such as `podcast`.

    `entries` are MAX_ENTRIES at most, each with a key of its own; `more` counts those beyond, and
    `left_out` those without a web address. `wait` is after how many seconds the list itself says
    that it may have changed. One that is `closed` gets no new entries, and all of those that it has
    were meant by who submitted it, as the files in an archive.
    """

    noun: str
    title: str | None = None
    description: str = ""
    author: str | None = None
    entries: Sequence[Entry] = field(default=())
    more: int = 0
    left_out: int = 0
    wait: float | None = None
    closed: bool = False


def with_keys(entries: Iterable[Entry]) -> list[Entry]:
    """The entries, each with a key that no other one has. An identifier that several entries give
    is none, and of two entries with the same URL and no identifier the first one counts."""
    every = list(entries)
    given = Counter(entry.key for entry in every)
    once: dict[str, Entry] = {}
    for entry in every:
        key = entry.key if entry.key and given[entry.key] == 1 else entry.url
        if len(key) > MAX_KEY:
            key = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()
        once.setdefault(key, replace(entry, key=key))
    return list(once.values())
