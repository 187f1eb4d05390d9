"""Turns documents into entries of a tantivy index.

An entry holds the document's encoded _id, the document itself (see index/sources.py), its exact
values (see values.py), the paths that it has, and its strings: one field for each path that the
definition names, and one JSON field for all others. A path with autocompletion has one more field.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import bson
import tantivy

from localcloud.atlas.index.sources import is_vector, pack
from localcloud.atlas.text import values
from localcloud.atlas.text.analyzers import COMPLETION, prepare
from localcloud.atlas.text.mappings import Analysis, Field, Mappings, SearchDefinition
from localcloud.atlas.wire.messages import LOSSLESS

ID, SOURCE, VALUES, PATHS, OTHERS = "id", "source", "values", "paths", "others"
# Text that tantivy's JSON fields would index as a date.
_LIKE_A_DATE = re.compile(r"\d{4}-\d\d-\d\d[Tt].*")


class DocumentSchema:
    """The tantivy schema of a definition, and the entries that fit it."""

    def __init__(self, definition: SearchDefinition) -> None:
        self._definition = definition
        self._names = {path: f"text{n}" for n, (path, _) in enumerate(definition.strings())}
        self._completions = {
            path: f"completion{n}" for n, path in enumerate(definition.completions())
        }
        self._keep = frozenset(definition.mappings.fields)
        self.tantivy = self._build()

    def _build(self) -> tantivy.Schema:
        builder = tantivy.SchemaBuilder()
        builder.add_text_field(ID, stored=True, tokenizer_name="raw", index_option="basic")
        builder.add_bytes_field(SOURCE, stored=True)
        builder.add_text_field(VALUES, tokenizer_name="raw", index_option="basic")
        builder.add_text_field(PATHS, tokenizer_name="raw", index_option="basic")
        for path, analysis in self._definition.strings():
            builder.add_text_field(self._names[path], tokenizer_name=analysis.index)
        for name in self._completions.values():
            builder.add_text_field(name, tokenizer_name=COMPLETION)
        if self._definition.is_dynamic():
            builder.add_json_field(OTHERS, tokenizer_name=self._definition.default.index)
        return builder.build()

    def string_field(self, path: str) -> str | None:
        """The tantivy field with a path's strings; None if the path is not indexed as string."""
        name = self._names.get(path)
        if name is not None:
            return name
        field = self._definition.at(path)
        return None if field is None or field.string is None else f"{OTHERS}.{_key(path)}"

    def completion_field(self, path: str) -> str | None:
        """The tantivy field with a path's words for autocompletion; None if there is none."""
        return self._completions.get(path)

    def entry(self, key: str, document: Mapping[str, Any]) -> tantivy.Document:
        """The entry of a document. `key` is its encoded _id."""
        entry = tantivy.Document()
        entry.add_text(ID, key)
        entry.add_bytes(SOURCE, self.source(document))
        others: dict[str, list[str]] = {}
        for path, field, value in _walk(document, self._definition.mappings, ""):
            entry.add_text(PATHS, path)
            for item in _flat(value):
                for term in values.terms(path, item, field):
                    entry.add_text(VALUES, term)
                if isinstance(item, str) and field.string is not None:
                    self._add_string(entry, others, path, field.string, item)
                if isinstance(item, str) and field.completion is not None:
                    entry.add_text(self._completions[path], item)
        if others:
            entry.add_json(OTHERS, others)
        return entry

    def source(self, document: Mapping[str, Any]) -> bytes:
        """The document as its entry keeps it."""
        return pack(document, self._keep)

    def alike(self, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
        """Whether two documents are searched alike: the same values at the same indexed paths."""
        return self._searched(one) == self._searched(other)

    def _searched(self, document: Mapping[str, Any]) -> bytes:
        walked = _walk(document, self._definition.mappings, "")
        found = [[path, value] for path, _, value in walked]
        return bson.encode({"found": found}, codec_options=LOSSLESS)

    def _add_string(
        self,
        entry: tantivy.Document,
        others: dict[str, list[str]],
        path: str,
        analysis: Analysis,
        text: str,
    ) -> None:
        ready = prepare(analysis.index, text)
        name = self._names.get(path)
        if name is not None:
            entry.add_text(name, ready)
        else:
            others.setdefault(_key(path), []).append(escape_date(ready))


def stored(searcher: tantivy.Searcher, address: tantivy.DocAddress) -> tuple[bytes, bytes]:
    """A document's encoded _id, and the document as index/sources.py packs it."""
    found = searcher.doc(address)
    return bytes.fromhex(str(found.get_first(ID))), bytes(found.get_first(SOURCE) or b"")


def values_at(document: Mapping[str, Any], path: str) -> Iterator[Any]:
    """Every value at a dotted path, also those in arrays and in documents inside arrays."""
    name, _, rest = path.partition(".")
    for item in _flat(document[name]) if name in document else ():
        if not rest:
            yield item
        elif isinstance(item, Mapping):
            yield from values_at(item, rest)


def escape_date(text: str) -> str:
    """The text, changed so that a JSON field does not index it as a date."""
    return text + " " if _LIKE_A_DATE.fullmatch(text) else text


def _key(path: str) -> str:
    """A path without the characters that have a meaning in the path of a JSON field."""
    return path.encode().hex()


def _walk(
    document: Mapping[str, Any], mappings: Mappings, prefix: str
) -> Iterator[tuple[str, Field, Any]]:
    """Every indexed path with its value, also those in documents inside arrays."""
    for name, value in document.items():
        field = mappings.field(name)
        if field is None or (name not in mappings.fields and is_vector(value)):
            continue
        path = prefix + name
        yield path, field, value
        if field.document is not None:
            for item in _flat(value):
                if isinstance(item, Mapping):
                    yield from _walk(item, field.document, f"{path}.")


def _flat(value: object) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _flat(item)
    else:
        yield value
