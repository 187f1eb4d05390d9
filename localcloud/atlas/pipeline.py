"""Rewrites a pipeline that begins with $vectorSearch into one the server can run.

The hits, found by the index, become the pipeline's first documents ($documents), each
joined with its document in the collection by _id ($lookup): the server does that look-up
by index for each, where `_id: {$in: [...]}` takes it quadratic time. The score travels in
a hidden field as long as a later stage asks for {$meta: "vectorSearchScore"}, and is then
taken out again. $documents makes it an aggregation of the database and not of the
collection; what the driver sees of that is the cursor's namespace.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from localcloud.atlas.errors import CommandError

Stage = dict[str, Any]

META = {"$meta": "vectorSearchScore"}
HIDDEN = "__vectorSearchScore"
_DOCUMENT = "__vectorSearchDocument"
# Metadata does not survive a stage that makes new documents out of many.
_CONSUMING = {"$group", "$bucket", "$bucketAuto", "$sortByCount", "$count", "$facet"}
_FINAL = {"$out", "$merge"}


def name_of(stage: object) -> str:
    """The operator of a stage; empty if it is not one."""
    return next(iter(stage), "") if isinstance(stage, Mapping) and len(stage) == 1 else ""


def contains(value: object, operator: str) -> bool:
    """Whether the operator is a key anywhere inside."""
    if isinstance(value, Mapping):
        return any(key == operator or contains(item, operator) for key, item in value.items())
    return isinstance(value, list) and any(contains(item, operator) for item in value)


def documents(rows: Sequence[Mapping[str, Any]]) -> Stage:
    """A first stage that yields the rows as they are."""
    return {"$documents": [{"$literal": row} for row in rows]}


def rewrite(
    collection: str, hits: Sequence[tuple[Any, float]], rest: Sequence[Stage]
) -> list[Stage]:
    """The pipeline for `aggregate: 1` that gives the hits, in order, to the later stages.
    Raises CommandError where a stage asks for a score that there is not."""
    rows = [{"_id": key, HIDDEN: score} for key, score in hits]
    join = {
        "from": collection,
        "localField": "_id",
        "foreignField": "_id",
        "as": _DOCUMENT,
    }
    scored, plain = _split(rest)
    whole = f"${_DOCUMENT}"
    found = {"$mergeObjects": [whole, {HIDDEN: f"${HIDDEN}"}]} if scored else whole
    return [
        documents(rows),
        {"$lookup": join},
        {"$unwind": whole},
        {"$replaceWith": found},
        *_with_score(scored),
        *plain,
    ]


def _split(rest: Sequence[Stage]) -> tuple[list[Stage], list[Stage]]:
    """The stages up to the last that asks for the score, and those after it."""
    last = max((i for i, stage in enumerate(rest) if _asks(stage)), default=-1)
    return list(rest[: last + 1]), list(rest[last + 1 :])


def _asks(value: object) -> bool:
    if isinstance(value, Mapping):
        return value == META or any(_asks(v) for k, v in value.items() if k != "$literal")
    return isinstance(value, list) and any(_asks(item) for item in value)


def _with_score(stages: Sequence[Stage]) -> list[Stage]:
    """The stages with the score in reach of every one, and gone after the last."""
    result: list[Stage] = []
    for position, stage in enumerate(stages):
        last = position == len(stages) - 1
        result.append(_stage(stage, last=last))
        if name_of(stage) in _CONSUMING and not last:
            raise CommandError(
                "Location40218",
                "query requires vectorSearchScore metadata, but it is not available",
            )
    if stages and name_of(stages[-1]) not in _CONSUMING | _FINAL:
        result.append({"$unset": HIDDEN})
    return result


def _stage(stage: Stage, *, last: bool) -> Stage:
    name = name_of(stage)
    body = stage[name] if name else stage
    match name:
        case "$sort" if isinstance(body, Mapping):
            return {name: _sort(body)}
        case "$facet" if isinstance(body, Mapping):
            return {name: {key: _with_score_inside(part) for key, part in body.items()}}
        case "$project" if not last and isinstance(body, Mapping) and _is_inclusion(body):
            return {name: {**_expression(body), HIDDEN: 1}}
        case "$replaceRoot" if not last and "newRoot" in body:
            return {name: {"newRoot": _keeping(body["newRoot"])}}
        case "$replaceWith" if not last:
            return {name: _keeping(body)}
        case _:
            rewritten: Stage = _expression(stage)
            return rewritten


def _with_score_inside(part: Sequence[Stage]) -> list[Stage]:
    scored, plain = _split(part)
    tail = [] if scored else [{"$unset": HIDDEN}]
    return [*tail, *_with_score(scored), *plain]


def _sort(body: Mapping[str, Any]) -> Stage:
    """{any name: {$meta: ...}} sorts by the score, best first."""
    return dict((HIDDEN, -1) if order == META else (key, order) for key, order in body.items())


def _is_inclusion(body: Mapping[str, Any]) -> bool:
    """Whether a $project names what to keep. Only its _id may differ from the other fields."""
    named = [value for key, value in body.items() if key != "_id"] or list(body.values())
    return any(not (isinstance(value, int | float) and not value) for value in named)


def _keeping(new_root: Any) -> Stage:
    return {"$mergeObjects": [_expression(new_root), {HIDDEN: f"${HIDDEN}"}]}


def _expression(value: Any) -> Any:
    """Read the score instead of {$meta: ...}; keep it out of the whole document."""
    if isinstance(value, Mapping):
        if value == META:
            return f"${HIDDEN}"
        return {k: v if k == "$literal" else _expression(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_expression(item) for item in value]
    if value in ("$$ROOT", "$$CURRENT"):
        return {"$setField": {"field": HIDDEN, "input": value, "value": "$$REMOVE"}}
    return value
