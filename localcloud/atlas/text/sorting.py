"""The `sort` option of a $search stage.

Sources: https://www.mongodb.com/docs/search/query/sort/ and mongot. The values come from the
documents that the index keeps, so a sort by a path reads every document that matches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tantivy import DocAddress, Searcher

from localcloud.atlas.index.sources import unpack
from localcloud.atlas.options import Options
from localcloud.atlas.text.documents import stored, values_at
from localcloud.atlas.text.mappings import Field, SearchDefinition
from localcloud.atlas.text.values import kind_of, sortable
from localcloud.atlas.wire.errors import QueryError

# The order of MongoDB's types. A missing value counts as null.
_RANKS = {"number": 30, "token": 60, "uuid": 90, "objectId": 100, "boolean": 110, "date": 120}
# The rank of null, by the value of `noData`.
_NULLS = {"lowest": 10, "highest": 240}

# A score with the document that has it.
Scored = tuple[float, DocAddress]


@dataclass(frozen=True)
class SortField:
    """One of the fields to sort by. Without a path it is the score."""

    path: str | None
    descending: bool
    null: int = _NULLS["lowest"]


def parse_sort(options: Options) -> tuple[SortField, ...]:
    """The fields in order of their weight. Raises QueryError."""
    if not options.document:
        options.fail_here("Sort spec must have at least one sort field defined")
    return tuple(_field(options, path) for path in options.document)


def _field(options: Options, path: str) -> SortField:
    value = options.required(path)
    if not isinstance(value, Mapping):
        return SortField(path, _descending(options, value))
    inner = options.at(value, options.where)
    inner.only("$meta", "order", "noData")
    descending = _descending(inner, value["order"]) if inner.has("order") else None
    if inner.has("$meta"):
        inner.choice("$meta", ("searchScore",))
        if inner.has("noData"):
            inner.fail_here("at most one of [$meta, noData] may be present")
        return SortField(None, descending is not False)
    if descending is None:
        inner.fail_here('"order" is required')
    return SortField(path, descending, _NULLS[inner.choice("noData", tuple(_NULLS), "lowest")])


def _descending(options: Options, order: object) -> bool:
    if isinstance(order, bool) or not isinstance(order, int | float):
        options.fail_here("must be a number")
    if order not in (1, -1):
        options.fail_here("sort order must be 1 or -1")
    return order == -1


def ordered(
    searcher: Searcher,
    found: Sequence[Scored],
    fields: Sequence[SortField],
    definition: SearchDefinition,
) -> list[Scored]:
    """The hits, best first, in the order of the fields.

    Raises QueryError for a path that is not indexed. As in mongot, values of a type that the path
    is not indexed as count as missing.
    """
    typed = [(field, _typed(field, definition)) for field in fields]
    keyed = []
    for score, where in found:
        document = {} if not any(type_ for _, type_ in typed) else _document(searcher, where)
        keys = [score if type_ is None else _key(document, field, type_) for field, type_ in typed]
        keyed.append((keys, (score, where)))
    for place, field in reversed(list(enumerate(fields))):
        keyed.sort(key=lambda each: each[0][place], reverse=field.descending)
    return [hit for _, hit in keyed]


def _typed(field: SortField, definition: SearchDefinition) -> Field | None:
    if field.path is None:
        return None
    found = definition.at(field.path)
    if found is None:
        raise QueryError(f"{field.path} is not indexed as sortable")
    return found


def _document(searcher: Searcher, where: DocAddress) -> Mapping[str, Any]:
    return unpack(stored(searcher, where)[1]).document


def _key(document: Mapping[str, Any], field: SortField, typed: Field) -> tuple[int, Any]:
    """The least value at the path in an ascending sort, the greatest in a descending one."""
    keys = list(_keys(document, field, typed)) or [(field.null, 0)]
    return max(keys) if field.descending else min(keys)


def _keys(document: Mapping[str, Any], field: SortField, typed: Field) -> Iterator[tuple[int, Any]]:
    for value in values_at(document, field.path or ""):
        kind = kind_of(value)
        if kind == "null":
            yield field.null, 0
        elif kind is not None and kind in typed.types:
            yield _RANKS[kind], _comparable(value, kind, typed)


def _comparable(value: Any, kind: str, typed: Field) -> Any:
    if kind in ("number", "date"):
        return sortable(value)
    if kind == "token" and typed.normalizer == "lowercase":
        return value.lower()
    return value
