"""The commands that the proxy answers itself, and those that it rewrites.

Source: https://www.mongodb.com/docs/manual/reference/command/createSearchIndexes/ and the
pages of updateSearchIndex, dropSearchIndex, $listSearchIndexes and $vectorSearch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.atlas import pipeline
from localcloud.atlas.definitions import SEARCH, TYPES
from localcloud.atlas.errors import CommandError
from localcloud.atlas.indexes import Indexes, Request
from localcloud.atlas.query import VectorSearch
from localcloud.atlas.upstream import Namespace

Document = Mapping[str, Any]

MANAGEMENT = {"createSearchIndexes", "updateSearchIndex", "dropSearchIndex"}
STAGES = ("$vectorSearch", "$listSearchIndexes")
# The commands that `is_ours` wants to see whole.
CANDIDATES = MANAGEMENT | {"aggregate", "explain"}
_MARKS = tuple(stage.encode() for stage in STAGES)
# Options of an aggregate that make no sense for the rewritten one.
_DROPPED = {"hint"}


def is_ours(command: str | None, body: bytes) -> bool:
    """Whether a message may be for us, without decoding it. True may be wrong."""
    if command in MANAGEMENT:
        return True
    return command in CANDIDATES and any(mark in body for mark in _MARKS)


@dataclass(frozen=True)
class Reply:
    """The proxy's own answer."""

    document: Document


@dataclass(frozen=True)
class Forward:
    """A command for the server. None: as it came."""

    command: Document | None


def handle(indexes: Indexes, command: Document) -> Reply | Forward:
    """Carry out a command. It may block: on the server, or until an index is current. Raises
    pymongo's ConnectionFailure when the server is away."""
    name = next(iter(command))
    try:
        match name:
            case "createSearchIndexes":
                return Reply(_create(indexes, command))
            case "updateSearchIndex":
                return Reply(_update(indexes, command))
            case "dropSearchIndex":
                return Reply(_drop(indexes, command))
            case "explain":
                return _explain(command)
            case _:
                return _aggregate(indexes, command)
    except CommandError as error:
        return Reply(error.reply())


def _create(indexes: Indexes, command: Document) -> Document:
    wanted = command.get("indexes")
    if not isinstance(wanted, list) or not wanted:
        raise CommandError("BadValue", '"indexes" must be a non-empty array')
    requests = [_request(item, f"indexes[{i}]") for i, item in enumerate(wanted)]
    created = indexes.create(_namespace(command), requests)
    return {"ok": 1.0, "indexesCreated": [{"id": e.id, "name": e.name} for e in created]}


def _request(item: object, where: str) -> Request:
    if not isinstance(item, Mapping):
        raise CommandError("TypeMismatch", f'"{where}" must be a document')
    unknown = [key for key in item if key not in ("name", "type", "definition")]
    if unknown:
        raise CommandError("BadValue", f'"{where}" unrecognized field "{unknown[0]}"')
    name = item.get("name", "default")
    if not isinstance(name, str) or not name:
        raise CommandError("BadValue", f'"{where}.name" must be a non-empty string')
    kind = item.get("type", SEARCH)
    if kind not in TYPES:
        raise CommandError("BadValue", f'"{where}.type" must be one of [{", ".join(TYPES)}]')
    if "definition" not in item:
        raise CommandError("BadValue", f'"{where}.definition" is required')
    return Request(name, kind, item["definition"])


def _update(indexes: Indexes, command: Document) -> Document:
    if "definition" not in command:
        raise CommandError("BadValue", '"definition" is required')
    indexes.update(_namespace(command), *_key(command), command["definition"])
    return {"ok": 1.0}


def _drop(indexes: Indexes, command: Document) -> Document:
    indexes.drop(_namespace(command), *_key(command))
    return {"ok": 1.0}


def _key(command: Document) -> tuple[str, str]:
    """Which index a command means: ("name", ...) or ("id", ...)."""
    given = [key for key in ("name", "id") if key in command]
    if len(given) != 1:
        raise CommandError("BadValue", 'exactly one of "name" and "id" is required')
    return given[0], str(command[given[0]])


def _namespace(command: Document) -> Namespace:
    collection = next(iter(command.values()))
    if not isinstance(collection, str) or not collection:
        raise CommandError("InvalidNamespace", "collection name has invalid type or is empty")
    return Namespace(str(command["$db"]), collection)


def _explain(command: Document) -> Reply | Forward:
    inner = command["explain"]
    if isinstance(inner, Mapping) and _names_a_stage(inner.get("pipeline")):
        raise CommandError("CommandNotSupported", "this server cannot explain a search stage")
    return Forward(None)


def _aggregate(indexes: Indexes, command: Document) -> Reply | Forward:
    stages = command.get("pipeline")
    if not isinstance(stages, list) or not _names_a_stage(stages):
        return Forward(None)
    first, *rest = stages
    for stage in rest:
        _refuse_inside(stage)
    namespace = _namespace(command)
    if command.get("explain"):
        raise CommandError("CommandNotSupported", "this server cannot explain a search stage")
    match pipeline.name_of(first):
        case "$vectorSearch":
            hits = indexes.search(namespace, VectorSearch.parse(first["$vectorSearch"]))
            rewritten = pipeline.rewrite(namespace.collection, hits, rest)
        case "$listSearchIndexes":
            listed = indexes.listed(namespace, *_listing(first["$listSearchIndexes"]))
            rewritten = [pipeline.documents(listed), *rest]
        case _:
            _refuse_inside(first)
            return Forward(None)
    kept = {key: value for key, value in command.items() if key not in _DROPPED}
    return Forward({**kept, "aggregate": 1, "pipeline": rewritten})


def _listing(spec: object) -> tuple[str | None, object]:
    if not isinstance(spec, Mapping):
        raise CommandError("FailedToParse", "$listSearchIndexes must be a document")
    unknown = [key for key in spec if key not in ("name", "id")]
    if unknown:
        raise CommandError("Location40324", f"$listSearchIndexes has no field '{unknown[0]}'")
    if len(spec) == 2:
        raise CommandError("BadValue", "$listSearchIndexes takes a name or an id, not both")
    return next(((key, value) for key, value in spec.items()), (None, None))


def _names_a_stage(value: object) -> bool:
    return any(pipeline.contains(value, stage) for stage in STAGES)


def _refuse_inside(stage: object) -> None:
    """A search stage anywhere but first. The other documents may hold its name as a key
    only inside a pipeline: a field's name cannot begin with a dollar."""
    for name in STAGES:
        if pipeline.name_of(stage) == name:
            raise CommandError(
                "Location40602", f"{name} is only valid as the first stage in a pipeline"
            )
        if pipeline.contains(stage, name):
            raise CommandError(
                "CommandNotSupported", f"this server does not run {name} inside another stage"
            )
