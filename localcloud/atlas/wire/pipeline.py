"""Rewrites a pipeline that begins with a search stage into one the server can run.

The hits, found by the index, become the pipeline's first documents ($documents), each
joined with its document in the collection by _id ($lookup): the server does that look-up
by index for each, where `_id: {$in: [...]}` takes it quadratic time. Scores and the like
travel in a hidden field as long as a later stage asks for one of them by {$meta: ...}, and
are then taken out again. $documents makes it an aggregation of the database and not of the
collection; what the driver sees of that is the cursor's namespace.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from localcloud.atlas.wire.errors import CommandError
from localcloud.atlas.wire.hits import Found

Stage = dict[str, Any]

# What search stages say of a document; every other {$meta: ...} is the server's business.
METAS = frozenset({
    *("vectorSearchScore", "searchScore", "searchHighlights", "searchScoreDetails"),
    *("score", "scoreDetails"),
})  # fmt: skip
HIDDEN = "__searchMeta"
SEARCH_META = "$$SEARCH_META"
_DOCUMENT = "__searchDocument"
# Metadata does not survive a stage that makes new documents out of many.
_CONSUMING = {"$group", "$bucket", "$bucketAuto", "$sortByCount", "$count", "$facet"}
_FINAL = {"$out", "$merge"}


def name_of(stage: object) -> str:
    """The operator of a stage; empty if it is not one."""
    return next(iter(stage), "") if isinstance(stage, Mapping) and len(stage) == 1 else ""


def contains(value: object, operator: str) -> bool:
    """Whether the operator is a key anywhere inside. A $text query has a $search of its own."""
    if isinstance(value, Mapping):
        return any(
            key == operator or (key != "$text" and contains(item, operator))
            for key, item in value.items()
        )
    return isinstance(value, list) and any(contains(item, operator) for item in value)


def documents(rows: Sequence[Mapping[str, Any]]) -> Stage:
    """A first stage that yields the rows as they are."""
    return {"$documents": [{"$literal": row} for row in rows]}


def rewrite(collection: str, found: Found, rest: Sequence[Stage]) -> list[Stage]:
    """The pipeline for `aggregate: 1` that gives the hits, in order, to the later stages.
    Raises CommandError where a stage asks for what there is not."""
    scored, plain = _split(rest)
    asked = metas(scored)
    check_metas(asked, found)
    rest = [with_variable(stage, found.search_meta) for stage in [*_with_score(scored), *plain]]
    rows = [
        {"_id": hit.id, HIDDEN: {name: hit.meta[name] for name in asked if name in hit.meta}}
        for hit in found.hits
    ]
    join = {"from": collection, "localField": "_id", "foreignField": "_id", "as": _DOCUMENT}
    whole = f"${_DOCUMENT}"
    root = {"$mergeObjects": [whole, {HIDDEN: f"${HIDDEN}"}]} if scored else whole
    return [
        documents(rows),
        {"$lookup": join},
        {"$unwind": whole},
        {"$replaceWith": root},
        *rest,
    ]


def leading_limit(rest: Sequence[Stage]) -> int | None:
    """How many hits the later stages take at most; None if they may take all."""
    skipped = 0
    for stage in rest:
        name, count = name_of(stage), count_of(next(iter(stage.values()), None))
        if name not in ("$skip", "$limit") or count is None:
            return None
        if name == "$limit":
            return skipped + count
        skipped += count
    return None


def count_of(value: object) -> int | None:
    """A whole number that is not negative; None if the value is not one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if value >= 0 and float(value).is_integer() else None


def meta_name(value: object) -> str | None:
    """X of {$meta: X}, if X is what a search stage says of a document."""
    if isinstance(value, Mapping) and len(value) == 1:
        name = value.get("$meta")
        return name if name in METAS else None
    return None


def metas(value: object) -> set[str]:
    """All that is asked for by {$meta: ...} anywhere inside."""
    name = meta_name(value)
    if name is not None:
        return {name}
    if isinstance(value, Mapping):
        inner = [item for key, item in value.items() if key != "$literal"]
    else:
        inner = value if isinstance(value, list) else []
    return set().union(*(metas(item) for item in inner))


def check_metas(asked: set[str], found: Found) -> None:
    """Raises CommandError for a name that the search stage does not provide."""
    for name in sorted(asked - found.provides):
        raise _not_available(name)


def _not_available(name: str) -> CommandError:
    return CommandError("Location40218", f"query requires {name} metadata, but it is not available")


def names_variable(value: object) -> bool:
    """Whether $$SEARCH_META is read anywhere inside."""
    if isinstance(value, str):
        return value == SEARCH_META or value.startswith(SEARCH_META + ".")
    if isinstance(value, Mapping):
        return any(names_variable(item) for key, item in value.items() if key != "$literal")
    return isinstance(value, list) and any(names_variable(item) for item in value)


def with_variable(value: Any, search_meta: Mapping[str, Any] | None) -> Any:
    """Put in what $$SEARCH_META is, where there is one."""
    if search_meta is None:
        return value
    if isinstance(value, str) and names_variable(value):
        inner: Any = search_meta
        for key in value.split(".")[1:]:
            inner = inner.get(key) if isinstance(inner, Mapping) else None
        return {"$literal": inner}
    if isinstance(value, Mapping):
        return {
            k: v if k == "$literal" else with_variable(v, search_meta) for k, v in value.items()
        }
    return [with_variable(v, search_meta) for v in value] if isinstance(value, list) else value


def _split(rest: Sequence[Stage]) -> tuple[list[Stage], list[Stage]]:
    """The stages up to the last that asks for metadata, and those after it."""
    last = max((i for i, stage in enumerate(rest) if metas(stage)), default=-1)
    return list(rest[: last + 1]), list(rest[last + 1 :])


def _with_score(stages: Sequence[Stage]) -> list[Stage]:
    """The stages with the hidden field in reach of every one, and gone after the last."""
    result: list[Stage] = []
    for position, stage in enumerate(stages):
        last = position == len(stages) - 1
        result.append(_stage(stage, last=last))
        if name_of(stage) in _CONSUMING and not last:
            raise _not_available(min(metas(stages[position + 1 :])))
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
    return dict(
        (key, order) if (name := meta_name(order)) is None else (f"{HIDDEN}.{name}", -1)
        for key, order in body.items()
    )


def _is_inclusion(body: Mapping[str, Any]) -> bool:
    """Whether a $project names what to keep. Only its _id may differ from the other fields."""
    named = [value for key, value in body.items() if key != "_id"] or list(body.values())
    return any(not (isinstance(value, int | float) and not value) for value in named)


def _keeping(new_root: Any) -> Stage:
    return {"$mergeObjects": [_expression(new_root), {HIDDEN: f"${HIDDEN}"}]}


def _expression(value: Any) -> Any:
    """Read the hidden field instead of {$meta: ...}; keep it out of the whole document."""
    if isinstance(value, Mapping):
        name = meta_name(value)
        if name is not None:
            return f"${HIDDEN}.{name}"
        return {k: v if k == "$literal" else _expression(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_expression(item) for item in value]
    if value in ("$$ROOT", "$$CURRENT"):
        return {"$setField": {"field": HIDDEN, "input": value, "value": "$$REMOVE"}}
    return value
