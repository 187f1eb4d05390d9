"""The definition of a `search` index: which fields are indexed, as what.

Source: https://www.mongodb.com/docs/atlas/atlas-search/define-field-mappings/. What is
documented there and not done here is refused, never ignored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from localcloud.atlas.text.analyzers import ANALYZERS, DEFAULT_ANALYZER
from localcloud.atlas.wire.errors import CommandError

NORMALIZERS = ("none", "lowercase")
TYPES = ("boolean", "date", "document", "number", "objectId", "string", "token", "uuid")
_ELSEWHERE = (
    *("autocomplete", "embeddedDocuments", "geo", "knnVector", "vector", "dateFacet"),
    *("numberFacet", "stringFacet", "sortableDateBetaV1", "sortableNumberBetaV1"),
    "sortableStringBetaV1",
)
# Options that may be given as long as they say what holds here anyway.
_FIXED: dict[str, dict[str, Any]] = {
    "string": {"indexOptions": "offsets", "store": True, "norms": "include", "multi": {}},
    "number": {"representation": "double", "indexIntegers": True, "indexDoubles": True},
}
_UNSUPPORTED = ("analyzers", "synonyms", "storedSource", "typeSets", "sort")


@dataclass(frozen=True)
class Analysis:
    """The analyzers of a string field: for documents and for queries."""

    index: str
    search: str


@dataclass(frozen=True)
class Field:
    """What the values at one path are indexed as; the scalar types are those in `types`."""

    types: frozenset[str] = frozenset()
    string: Analysis | None = None
    normalizer: str = "none"
    document: Mappings | None = None


@dataclass(frozen=True)
class Mappings:
    """The fields of a document. With `dynamic`, which analyzes strings, every other field is
    indexed too, to any depth."""

    fields: Mapping[str, Field]
    dynamic: Analysis | None = None

    def field(self, name: str) -> Field | None:
        found = self.fields.get(name)
        if found is None and self.dynamic is not None:
            return _unnamed(self.dynamic)
        return found


@lru_cache
def _unnamed(analysis: Analysis) -> Field:
    types = frozenset({"boolean", "date", "number", "objectId", "uuid"})
    return Field(types, analysis, document=Mappings({}, analysis))


@dataclass(frozen=True)
class SearchDefinition:
    """A checked definition. `default` analyzes the strings of dynamic fields."""

    mappings: Mappings
    default: Analysis

    def at(self, path: str) -> Field | None:
        """How values at a dotted path are indexed."""
        mappings: Mappings | None = self.mappings
        field = None
        for name in path.split("."):
            field = None if mappings is None else mappings.field(name)
            mappings = None if field is None else field.document
        return field

    def strings(self) -> list[tuple[str, Analysis]]:
        """The paths that are mapped to strings by name."""
        return list(_strings(self.mappings, ""))

    def is_dynamic(self) -> bool:
        """Whether fields without a name in the definition are indexed anywhere."""
        return _has_dynamic(self.mappings)


def _strings(mappings: Mappings, prefix: str) -> Iterator[tuple[str, Analysis]]:
    for name, field in mappings.fields.items():
        if field.string is not None:
            yield prefix + name, field.string
        if field.document is not None:
            yield from _strings(field.document, f"{prefix}{name}.")


def _has_dynamic(mappings: Mappings) -> bool:
    inner = (field.document for field in mappings.fields.values())
    return mappings.dynamic is not None or any(_has_dynamic(m) for m in inner if m is not None)


def parse_search(definition: Mapping[str, Any]) -> SearchDefinition:
    """Check and type a search definition. Raises CommandError (BadValue)."""
    for key in _UNSUPPORTED:
        if definition.get(key):
            raise _unsupported(f"definition.{key}")
    known = {"mappings", "analyzer", "searchAnalyzer", "numPartitions", *_UNSUPPORTED}
    only(definition, known, "definition")
    mappings = definition.get("mappings")
    if mappings is None:
        raise bad('"definition.mappings" is required')
    default = _analysis(definition, "definition", Analysis(DEFAULT_ANALYZER, ""))
    return SearchDefinition(_mappings(mappings, "definition.mappings", default), default)


def _analysis(options: Mapping[str, Any], where: str, default: Analysis) -> Analysis:
    """A searchAnalyzer stands for queries alone; without one the analyzer does for both."""
    given = options.get("analyzer")
    index = _analyzer(options, "analyzer", where, default.index)
    otherwise = index if given is not None else default.search or index
    return Analysis(index, _analyzer(options, "searchAnalyzer", where, otherwise))


def _analyzer(options: Mapping[str, Any], key: str, where: str, default: str) -> str:
    name = options.get(key, default)
    if not isinstance(name, str):
        raise bad(f'"{where}.{key}" must be a string')
    if name in ANALYZERS:
        return name
    if name.startswith("lucene."):
        raise bad(
            f'"{where}.{key}" this server has no analyzer "{name}", only [{", ".join(ANALYZERS)}]'
        )
    raise bad(f'"{where}.{key}" references non-existent analyzers: {name}')


def _mappings(options: object, where: str, default: Analysis) -> Mappings:
    if not isinstance(options, Mapping):
        raise bad(f'"{where}" must be a document')
    only(options, {"dynamic", "fields", "type"}, where)
    dynamic = options.get("dynamic", False)
    if isinstance(dynamic, Mapping):
        raise _unsupported(f"{where}.dynamic.typeSet")
    if not isinstance(dynamic, bool):
        raise bad(f'"{where}.dynamic" must be a boolean')
    fields = options.get("fields", {})
    if not isinstance(fields, Mapping):
        raise bad(f'"{where}.fields" must be a document')
    for name in fields:
        if not name or "." in name or name.startswith("$"):
            raise bad(f'"{where}.fields" has a name that is not a field name: "{name}"')
    typed = {name: _field(f, f"{where}.fields.{name}", default) for name, f in fields.items()}
    return Mappings(typed, default if dynamic else None)


def _field(options: object, where: str, default: Analysis) -> Field:
    several = options if isinstance(options, list) else [options]
    if not several:
        raise bad(f'"{where}" cannot be empty')
    types: set[str] = set()
    string, normalizer, document = None, "none", None
    for one in several:
        if not isinstance(one, Mapping):
            raise bad(f'"{where}" must be a document')
        kind = _type(one, where)
        if kind in types:
            raise bad(f'"{where}" field contained multiple "[{kind}]" type definitions')
        types.add(kind)
        _check_fixed(one, kind, where)
        if kind == "string":
            only(one, {"type", "analyzer", "searchAnalyzer", *_FIXED["string"]}, where)
            string = _analysis(one, where, default)
        elif kind == "token":
            normalizer = _normalizer(one, where)
        elif kind == "document":
            document = _mappings(one, where, default)
        else:
            only(one, {"type", *_FIXED.get(kind, ())}, where)
    return Field(frozenset(types - {"string", "document"}), string, normalizer, document)


def _type(options: Mapping[str, Any], where: str) -> str:
    kind = options.get("type")
    if kind is None:
        raise bad(f'"{where}.type" is required')
    if kind in _ELSEWHERE:
        raise bad(f'"{where}.type" this server does not index the type "{kind}"')
    if kind not in TYPES:
        raise bad(f'"{where}.type" must be one of [{", ".join(TYPES)}]')
    return str(kind)


def _check_fixed(options: Mapping[str, Any], kind: str, where: str) -> None:
    for key, value in _FIXED.get(kind, {}).items():
        if key in options and options[key] != value:
            raise _unsupported(f"{where}.{key}: {options[key]}")


def _normalizer(options: Mapping[str, Any], where: str) -> str:
    only(options, {"type", "normalizer"}, where)
    normalizer = options.get("normalizer", "none")
    if normalizer not in NORMALIZERS:
        raise bad(f'"{where}.normalizer" must be one of [{", ".join(NORMALIZERS)}]')
    return str(normalizer)


def only(document: Mapping[str, Any], known: set[str], where: str) -> None:
    """Raises CommandError (BadValue) for a key that is not among the known ones."""
    unknown = [key for key in document if key not in known]
    if unknown:
        raise bad(f'"{where}" unrecognized field "{unknown[0]}"')


def _unsupported(what: str) -> CommandError:
    return bad(f'"{what}" is not supported by this server')


def bad(message: str) -> CommandError:
    """What a definition that cannot be used is answered with."""
    return CommandError("BadValue", message)
