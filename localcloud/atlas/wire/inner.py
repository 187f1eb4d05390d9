"""Carries out the searches that begin an inner pipeline of $unionWith or $lookup.

The server runs $documents only at the start of an aggregation. So the hits of an inner search come
from the collection that was searched: one of its documents, whichever it is, is replaced by them.
A search does not depend on the outer document, so it is run once.

Source: https://www.mongodb.com/docs/manual/reference/operator/aggregation/unionWith/ and the page
of $lookup.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from localcloud.atlas.wire import rewriting, searching
from localcloud.atlas.wire.errors import CommandError
from localcloud.atlas.wire.rewriting import Stage, name_of
from localcloud.atlas.wire.searching import Searches
from localcloud.atlas.wire.upstream import Namespace

# The stages whose inner pipeline may begin with a search, with the key of its collection.
HOLDERS = {"$unionWith": "coll", "$lookup": "from"}
# The pipeline stages that the server behind the proxy lacks.
STAGES = (*searching.STAGES, "$searchMeta", "$listSearchIndexes")
_ROWS = "rows"


def names_a_stage(value: object) -> bool:
    """Whether one of STAGES is a key anywhere inside.

    Such a key can only be a stage, since names of fields cannot begin with a dollar sign.
    """
    return any(rewriting.contains(value, stage) for stage in STAGES)


def expanded(searches: Searches, db: str, stage: Stage) -> Stage:
    """A stage that is not the first one, with its inner searches carried out.

    Raises CommandError for a search anywhere else.
    """
    name = name_of(stage)
    if name in STAGES:
        raise CommandError(
            "Location40602", f"{name} is only valid as the first stage in a pipeline"
        )
    if not names_a_stage(stage):
        return stage
    body = stage[name] if name in HOLDERS else None
    if not isinstance(body, Mapping):
        raise _not_here(stage)
    source, pipeline = body.get(HOLDERS[name]), body.get("pipeline")
    if not isinstance(source, str) or not isinstance(pipeline, list) or not pipeline:
        raise _not_here(stage)
    if "localField" in body and name_of(pipeline[0]) in STAGES:
        raise CommandError(
            "CommandNotSupported",
            "this server does not run a $lookup with localField and a search; use let instead",
        )
    inner = _pipeline(searches, Namespace(db, source), pipeline)
    return {name: {**body, "pipeline": inner}}


def _not_here(stage: Stage) -> CommandError:
    name = next(name for name in STAGES if rewriting.contains(stage, name))
    holder = name_of(stage) or "this stage"
    return CommandError("CommandNotSupported", f"this server does not run {name} inside {holder}")


def _pipeline(searches: Searches, namespace: Namespace, stages: Sequence[Stage]) -> list[Stage]:
    first, *rest = stages
    rest = [expanded(searches, namespace.db, stage) for stage in rest]
    name = name_of(first)
    if name in searching.STAGES:
        found = searches.find(namespace, first, rest)
        return rewriting.rewrite(namespace.collection, found, rest, rows)
    if name == "$searchMeta":
        meta = searches.meta(namespace, first[name])
        return [*rows([meta]), *(rewriting.with_variable(stage, meta) for stage in rest)]
    return [expanded(searches, namespace.db, first), *rest]


def rows(values: Sequence[Mapping[str, Any]]) -> list[Stage]:
    """First stages that produce the values in place of a collection's documents.

    $facet makes one document even of an empty collection.
    """
    return [
        {"$limit": 1},
        {"$facet": {_ROWS: [{"$limit": 1}]}},
        {"$replaceWith": {_ROWS: {"$literal": list(values)}}},
        {"$unwind": f"${_ROWS}"},
        {"$replaceWith": f"${_ROWS}"},
    ]
