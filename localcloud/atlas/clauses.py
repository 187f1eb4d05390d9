"""The number of clauses that a query may have, which Atlas limits on its Free and Flex clusters.

Sources: https://www.mongodb.com/docs/atlas/atlas-search/performance/query-performance/ and mongot,
the search engine behind Atlas. Every leaf of the query that mongot makes for Lucene is a clause:
each distinct word at each path, each phrase, each ObjectId or boolean of a set. A set of strings,
dates or numbers is as many clauses as a single one of them, at each path.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable

from localcloud.atlas.wire.errors import QueryError

MAX_CLAUSES = 1024
_SET = f"maxClauseCount is set to {MAX_CLAUSES}"
# The clauses of a set of values of a kind, if that does not depend on their number.
_OF_A_SET = {"string": 1, "token": 1, "uuid": 1, "date": 2, "number": 4}


class Clauses:
    """Counts the clauses of one query."""

    def __init__(self) -> None:
        self._count = 0

    def add(self, count: int = 1) -> None:
        """Raises QueryError above MAX_CLAUSES."""
        self._count += count
        if self._count > MAX_CLAUSES:
            raise QueryError(f"Query contains too many nested clauses; {_SET}")

    def add_words(self, words: Collection[Hashable]) -> None:
        """The words of one text, which Lucene counts before it drops those that it has already."""
        if len(words) > MAX_CLAUSES:
            raise QueryError(f"query has expanded into too many sub-queries internally: {_SET}")
        self.add(len(set(words)))

    def add_set(self, kind: str, size: int, *, in_text: bool = True) -> None:
        """Values of that kind, any of which may be there. `in_text` tells $search from a filter of
        $vectorSearch, for which mongot has another message."""
        count = _OF_A_SET.get(kind, size)
        if count > MAX_CLAUSES:
            too_many = (
                "query has expanded into too many sub-queries internally: " if in_text else ""
            )
            raise QueryError(f"{too_many}{_SET}")
        self.add(count)
