"""Parses the definition of a `search` index: which fields are indexed, and as which types.

Source: https://www.mongodb.com/docs/atlas/atlas-search/define-field-mappings/. Documented options
that this server lacks are refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from localcloud.atlas.options import Options
from localcloud.atlas.text.analyzers import ANALYZERS, DEFAULT_ANALYZER

NORMALIZERS = ("none", "lowercase")
TYPES = (
    *("autocomplete", "boolean", "date", "dateFacet", "document", "number", "numberFacet"),
    *("objectId", "string", "stringFacet", "token", "uuid"),
)
# Atlas has these field types, this server does not.
_UNSUPPORTED_TYPES = (
    *("embeddedDocuments", "geo", "knnVector", "vector"),
    *("sortableDateBetaV1", "sortableNumberBetaV1", "sortableStringBetaV1"),
)
_NUMBER = {"representation": "double", "indexIntegers": True, "indexDoubles": True}
# Options of a field that are accepted with this one value, which is how this server works.
_FIXED: dict[str, dict[str, Any]] = {
    "autocomplete": {
        "analyzer": DEFAULT_ANALYZER,
        "tokenization": "edgeGram",
        "foldDiacritics": True,
    },
    "string": {"indexOptions": "offsets", "store": True, "norms": "include", "multi": {}},
    "number": _NUMBER,
    "numberFacet": _NUMBER,
}
# Options of a definition that Atlas has and this server does not.
_UNSUPPORTED = ("analyzers", "synonyms", "storedSource", "typeSets", "sort")


@dataclass(frozen=True)
class Analysis:
    """The names of a string field's analyzers: for documents and for queries."""

    index: str
    search: str


@dataclass(frozen=True)
class Completion:
    """The fewest and the most characters of the beginning of a word by which it is found."""

    least: int
    most: int


@dataclass(frozen=True)
class Field:
    """The types as which the values at one path are indexed.

    `types` are those of exact values; `string` is set for full text, `completion` for
    autocompletion, `document` for fields inside.
    """

    types: frozenset[str] = frozenset()
    string: Analysis | None = None
    normalizer: str = "none"
    document: Mappings | None = None
    completion: Completion | None = None


@dataclass(frozen=True)
class Mappings:
    """The fields of a document, by name.

    With `dynamic` every other field is indexed too, at any depth, and its strings are analyzed
    that way.
    """

    fields: Mapping[str, Field]
    dynamic: Analysis | None = None

    def field(self, name: str) -> Field | None:
        """How a field is indexed; None if it is not."""
        found = self.fields.get(name)
        if found is None and self.dynamic is not None:
            return _dynamic_field(self.dynamic)
        return found


@lru_cache
def _dynamic_field(analysis: Analysis) -> Field:
    types = frozenset({"boolean", "date", "number", "objectId", "uuid"})
    return Field(types, analysis, document=Mappings({}, analysis))


@dataclass(frozen=True)
class SearchDefinition:
    """A checked definition. `default` analyzes the strings of dynamic fields."""

    mappings: Mappings
    default: Analysis

    def at(self, path: str) -> Field | None:
        """How values at a dotted path are indexed; None if they are not."""
        mappings: Mappings | None = self.mappings
        field = None
        for name in path.split("."):
            field = None if mappings is None else mappings.field(name)
            mappings = None if field is None else field.document
        return field

    def strings(self) -> list[tuple[str, Analysis]]:
        """The paths that the definition names and maps to strings."""
        return [(path, field.string) for path, field in _named(self.mappings, "") if field.string]

    def completions(self) -> list[str]:
        """The paths that the definition maps to autocompletion."""
        return [path for path, field in _named(self.mappings, "") if field.completion]

    def is_dynamic(self) -> bool:
        """Whether fields that the definition does not name are indexed anywhere."""
        return _has_dynamic(self.mappings)


def _named(mappings: Mappings, prefix: str) -> Iterator[tuple[str, Field]]:
    """The fields that a definition names, each with its path."""
    for name, field in mappings.fields.items():
        yield prefix + name, field
        if field.document is not None:
            yield from _named(field.document, f"{prefix}{name}.")


def _has_dynamic(mappings: Mappings) -> bool:
    inner = (field.document for field in mappings.fields.values())
    return mappings.dynamic is not None or any(_has_dynamic(m) for m in inner if m is not None)


def parse_search(options: Options) -> SearchDefinition:
    """Raises the error of `options` for a definition that cannot be used."""
    mappings = options.inner("mappings")
    for key in _UNSUPPORTED:
        if options.document.get(key):
            options.unsupported(key)
    options.only("mappings", "analyzer", "searchAnalyzer", "numPartitions", *_UNSUPPORTED)
    default = _analysis(options, Analysis(DEFAULT_ANALYZER, ""))
    return SearchDefinition(_mappings(mappings, default), default)


def _analysis(options: Options, default: Analysis) -> Analysis:
    """The two analyzers: `analyzer` stands for both unless `searchAnalyzer` is given."""
    index = _analyzer(options, "analyzer", default.index)
    for_queries = index if options.has("analyzer") else default.search or index
    return Analysis(index, _analyzer(options, "searchAnalyzer", for_queries))


def _analyzer(options: Options, key: str, default: str) -> str:
    if not options.has(key):
        return default
    name = options.string(key)
    if name.startswith("lucene.") and name not in ANALYZERS:
        options.fail(key, f'this server has no analyzer "{name}", only [{", ".join(ANALYZERS)}]')
    if name not in ANALYZERS:
        options.fail(key, f"references non-existent analyzers: {name}")
    return name


def _mappings(options: Options, default: Analysis) -> Mappings:
    options.only("dynamic", "fields", "type")
    if isinstance(options.document.get("dynamic"), Mapping):
        options.fail("dynamic.typeSet", "is not supported by this server")
    dynamic = options.boolean("dynamic")
    fields = options.inner("fields") if options.has("fields") else options.at({}, "")
    for name in fields.document:
        if not name or "." in name or name.startswith("$"):
            fields.fail_here(f'has a name that is not a field name: "{name}"')
    typed = {name: _field(fields, name, default) for name in fields.document}
    return Mappings(typed, default if dynamic else None)


def _field(fields: Options, name: str, default: Analysis) -> Field:
    """The types of one field, which are given as one document or as an array of them."""
    types: set[str] = set()
    string, normalizer, document, completion = None, "none", None, None
    for _, value in fields.items(name):
        options = fields.at(value, fields.path(name))
        kind = _type(options)
        if kind in types:
            options.fail_here(f'field contained multiple "[{kind}]" type definitions')
        types.add(kind)
        _check_fixed(options, kind)
        if kind == "string":
            options.only("type", "analyzer", "searchAnalyzer", *_FIXED["string"])
            string = _analysis(options, default)
        elif kind == "token":
            options.only("type", "normalizer")
            normalizer = options.choice("normalizer", NORMALIZERS, "none")
        elif kind == "document":
            document = _mappings(options, default)
        elif kind == "autocomplete":
            completion = _completion(options)
        else:
            options.only("type", *_FIXED.get(kind, ()))
    exact = frozenset(types - {"autocomplete", "document", "string"})
    return Field(exact, string, normalizer, document, completion)


def _completion(options: Options) -> Completion:
    options.only("type", "minGrams", "maxGrams", *_FIXED["autocomplete"])
    least = options.integer("minGrams", 1, default=2)
    most = options.integer("maxGrams", 1, default=15)
    if most < least:
        options.fail("maxGrams", "cannot be less than minGrams")
    return Completion(least, most)


def _type(options: Options) -> str:
    kind = options.required("type")
    if kind in _UNSUPPORTED_TYPES:
        options.fail("type", f'this server does not index the type "{kind}"')
    return options.choice("type", TYPES)


def _check_fixed(options: Options, kind: str) -> None:
    for key, value in _FIXED.get(kind, {}).items():
        given = options.document.get(key, value)
        if given != value:
            options.fail(f"{key}: {given}", "is not supported by this server")
