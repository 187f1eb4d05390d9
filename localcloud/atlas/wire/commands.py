"""Carries out the commands that the proxy answers itself or rewrites.

Source: https://www.mongodb.com/docs/manual/reference/command/createSearchIndexes/ and the
pages of updateSearchIndex, dropSearchIndex, $listSearchIndexes, $vectorSearch and $search.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import bson
from bson.int64 import Int64
from bson.raw_bson import RawBSONDocument
from pymongo.errors import ConnectionFailure, OperationFailure

from localcloud.atlas.index.catalog import Request
from localcloud.atlas.index.definitions import SEARCH, TYPES, command_options
from localcloud.atlas.index.indexes import Indexes
from localcloud.atlas.options import Options
from localcloud.atlas.wire import inner, rewriting, searching, shortcut
from localcloud.atlas.wire.errors import CommandError, ServerError
from localcloud.atlas.wire.hits import Found
from localcloud.atlas.wire.inner import STAGES, names_a_stage
from localcloud.atlas.wire.messages import LOSSLESS, MAX_DOCUMENT
from localcloud.atlas.wire.searching import Searches
from localcloud.atlas.wire.upstream import Namespace
from localcloud.sqlite import is_disk_full

log = logging.getLogger("atlas.commands")

Document = Mapping[str, Any]

# The commands that manage search indexes.
MANAGEMENT = {"createSearchIndexes", "updateSearchIndex", "dropSearchIndex"}
# The commands whose whole message `is_ours` needs.
CANDIDATES = MANAGEMENT | {"aggregate", "explain"}
_STAGE_BYTES = tuple(stage.encode() for stage in STAGES)
# Options of an aggregate that do not apply to the rewritten one.
_DROPPED = {"hint"}
# Fields of commands in a transaction, which the server has to see.
_TRANSACTIONAL = {"autocommit", "startTransaction"}
# Bytes of a reply beside its documents, at most.
_REPLY_OVERHEAD = 16 * 1024


def is_ours(command: str | None, body: bytes) -> bool:
    """Whether the proxy may have to carry out a message, judged without decoding it."""
    if command in MANAGEMENT:
        return True
    return command in CANDIDATES and any(stage in body for stage in _STAGE_BYTES)


def searches(command: Document) -> bool:
    """Whether a command may have to wait for an index."""
    stages = command.get("pipeline")
    names = list(map(rewriting.name_of, stages)) if isinstance(stages, list) else []
    return bool({*searching.STAGES, "$searchMeta", *inner.HOLDERS} & set(names))


@dataclass(frozen=True)
class Reply:
    """The proxy's own answer."""

    document: Document


@dataclass(frozen=True)
class Forward:
    """A command for the server; None to pass on the message unchanged."""

    command: Document | None


@dataclass(frozen=True)
class Services:
    """The objects that carry out the commands."""

    indexes: Indexes
    searches: Searches


def handle(services: Services, command: Document) -> Reply | Forward:
    """Carry out a command. Raises pymongo's ConnectionFailure when the server is away.

    The call may block on the server, or until an index is current.
    """
    try:
        return _handle(services, command)
    except ConnectionFailure:
        raise
    except CommandError as error:
        return Reply(error.reply())
    except OperationFailure as error:
        return Reply(ServerError(error.details or {}).reply())
    except Exception as error:
        log.exception("command failed")
        name = "OutOfDiskSpace" if is_disk_full(error) else "InternalError"
        return Reply(CommandError(name, f"internal server error: {error}").reply())


def _handle(services: Services, command: Document) -> Reply | Forward:
    name = next(iter(command))
    match name:
        case "createSearchIndexes":
            return Reply(_create(services.indexes, command))
        case "updateSearchIndex":
            return Reply(_update(services.indexes, command))
        case "dropSearchIndex":
            return Reply(_drop(services.indexes, command))
        case "explain":
            return _explain(command)
        case _:
            return _aggregate(services, command)


def _create(indexes: Indexes, command: Document) -> Document:
    options = command_options(command)
    if not isinstance(command.get("indexes"), list) or not command["indexes"]:
        options.fail("indexes", "must be a non-empty array")
    requests = [_request(options.at(item, where)) for where, item in options.items("indexes")]
    created = indexes.create(_namespace(command), requests)
    return {"ok": 1.0, "indexesCreated": [{"id": e.id, "name": e.name} for e in created]}


def _request(options: Options) -> Request:
    options.only("name", "type", "definition")
    name = options.string("name") if options.has("name") else "default"
    kind = options.choice("type", TYPES, SEARCH)
    return Request(name, kind, options.required("definition"))


def _update(indexes: Indexes, command: Document) -> Document:
    definition = command_options(command).required("definition")
    indexes.update(_namespace(command), *_key(command), definition)
    return {"ok": 1.0}


def _drop(indexes: Indexes, command: Document) -> Document:
    indexes.drop(_namespace(command), *_key(command))
    return {"ok": 1.0}


def _key(command: Document) -> tuple[str, str]:
    """The index that a command names: ("name", its name) or ("id", its id)."""
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
    explained = command["explain"]
    if isinstance(explained, Mapping) and names_a_stage(explained.get("pipeline")):
        raise CommandError("CommandNotSupported", "this server cannot explain a search stage")
    return Forward(None)


def _aggregate(services: Services, command: Document) -> Reply | Forward:
    stages = command.get("pipeline")
    if not isinstance(stages, list) or not names_a_stage(stages):
        return Forward(None)
    namespace = _namespace(command)
    if command.get("explain"):
        raise CommandError("CommandNotSupported", "this server cannot explain a search stage")
    first, *rest = stages
    rest = [inner.expanded(services.searches, namespace.db, stage) for stage in rest]
    name = rewriting.name_of(first)
    match name:
        case _ if name in searching.STAGES:
            found = services.searches.find(namespace, first, rest)
            answer = _answer(command, namespace, found, rest)
            if answer is not None:
                return answer
            rewritten = rewriting.rewrite(namespace.collection, found, rest)
        case "$searchMeta":
            meta = services.searches.meta(namespace, first[name])
            later = [rewriting.with_variable(stage, meta) for stage in rest]
            rewritten = [*rewriting.documents([meta]), *later]
        case "$rankFusion" | "$scoreFusion":
            raise CommandError("CommandNotSupported", f"this server has no {name}")
        case "$listSearchIndexes":
            listed = services.indexes.listed(namespace, *_listing(first[name]))
            rewritten = [*rewriting.documents(listed), *rest]
        case _:
            first = inner.expanded(services.searches, namespace.db, first)
            return Forward({**command, "pipeline": [first, *rest]})
    kept = {key: value for key, value in command.items() if key not in _DROPPED}
    return Forward({**kept, "aggregate": 1, "pipeline": rewritten})


def _answer(
    command: Document, namespace: Namespace, found: Found, rest: list[rewriting.Stage]
) -> Reply | None:
    """The reply, if one batch of documents that the index keeps can answer; else None."""
    steps = shortcut.plan(rest)
    if steps is None or _TRANSACTIONAL & command.keys():
        return None
    documents = shortcut.run(steps, found)
    cursor = command.get("cursor")
    size = cursor.get("batchSize") if isinstance(cursor, Mapping) else None
    if documents is None or (size is not None and size < len(documents)):
        return None
    reply = {"cursor": {"firstBatch": documents, "id": Int64(0), "ns": str(namespace)}, "ok": 1.0}
    data = bson.encode(reply, codec_options=LOSSLESS)
    fits = len(data) <= MAX_DOCUMENT - _REPLY_OVERHEAD
    return Reply(RawBSONDocument(data)) if fits else None


def _listing(spec: object) -> tuple[str | None, object]:
    if not isinstance(spec, Mapping):
        raise CommandError("FailedToParse", "$listSearchIndexes must be a document")
    unknown = [key for key in spec if key not in ("name", "id")]
    if unknown:
        raise CommandError("Location40324", f"$listSearchIndexes has no field '{unknown[0]}'")
    if len(spec) == 2:
        raise CommandError("BadValue", "$listSearchIndexes takes a name or an id, not both")
    return next(((key, value) for key, value in spec.items()), (None, None))
