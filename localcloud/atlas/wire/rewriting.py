"""Rewrites a pipeline that begins with a search stage into one that the server can run.

The hits become the pipeline's first documents ($documents), each joined with its document in the
collection by _id ($lookup), which the server looks up by index. Scores and other metadata are
kept in a hidden field until the last stage that reads one by {$meta: ...}. $documents makes the
command an aggregation of the database instead of the collection, which a driver can see in the
cursor's namespace.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from localcloud.atlas.wire.errors import CommandError
from localcloud.atlas.wire.hits import Found

Stage = dict[str, Any]

# The metadata of search stages. The server handles any other {$meta: ...}.
METAS = frozenset({
    *("vectorSearchScore", "searchScore", "searchHighlights", "searchScoreDetails"),
    *("score", "scoreDetails"),
})  # fmt: skip
# The field that holds the metadata, and the one that holds the joined document.
HIDDEN = "__searchMeta"
_DOCUMENT = "__searchDocument"
SEARCH_META = "$$SEARCH_META"
# Stages that make new documents out of many and so lose the metadata.
_CONSUMING = {"$group", "$bucket", "$bucketAuto", "$sortByCount", "$count", "$facet"}
# Stages that can only be the last one.
_FINAL = {"$out", "$merge"}


def name_of(stage: object) -> str:
    """The name of a stage; empty if the value is not a stage."""
    return next(iter(stage), "") if isinstance(stage, Mapping) and len(stage) == 1 else ""


def contains(value: object, operator: str) -> bool:
    """Whether the operator is a key anywhere inside. The $search of a $text query is ignored."""
    if isinstance(value, Mapping):
        return any(
            key == operator or (key != "$text" and contains(item, operator))
            for key, item in value.items()
        )
    return isinstance(value, list) and any(contains(item, operator) for item in value)


def documents(rows: Sequence[Mapping[str, Any]]) -> list[Stage]:
    """First stages of `aggregate: 1` that produce the rows unchanged."""
    return [{"$documents": [{"$literal": row} for row in rows]}]


def rewrite(
    collection: str,
    found: Found,
    rest: Sequence[Stage],
    produce: Callable[[Sequence[Mapping[str, Any]]], list[Stage]] = documents,
) -> list[Stage]:
    """The pipeline that passes the hits, in order, to the later stages.

    `produce` makes the first stages, which produce rows; those of `documents` are for
    `aggregate: 1`. Raises CommandError if a stage asks for metadata that is not available.
    """
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
        *produce(rows),
        {"$lookup": join},
        {"$unwind": whole},
        {"$replaceWith": root},
        *rest,
    ]


def leading_limit(rest: Sequence[Stage]) -> int | None:
    """The most hits that the later stages can read; None if they may read all."""
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
    """The value as a whole number that is not negative; None if it is not one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if value >= 0 and float(value).is_integer() else None


def meta_name(value: object) -> str | None:
    """The X of {$meta: X} if X is metadata of search stages, else None."""
    if isinstance(value, Mapping) and len(value) == 1:
        name = value.get("$meta")
        return name if name in METAS else None
    return None


def metas(value: object) -> set[str]:
    """The names of all search metadata that is read anywhere inside."""
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
    """Replace $$SEARCH_META by its value, if it has one."""
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
    """The stages up to the last that reads metadata, and those after it."""
    last = max((i for i, stage in enumerate(rest) if metas(stage)), default=-1)
    return list(rest[: last + 1]), list(rest[last + 1 :])


def _with_score(stages: Sequence[Stage]) -> list[Stage]:
    """The stages, changed so that each can read the hidden field and the last removes it."""
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
    """The $sort with {name: {$meta: ...}} as a descending sort by the hidden field."""
    return dict(
        (key, order) if (name := meta_name(order)) is None else (f"{HIDDEN}.{name}", -1)
        for key, order in body.items()
    )


def _is_inclusion(body: Mapping[str, Any]) -> bool:
    """Whether a $project lists the fields to keep. Its _id may contradict the other fields."""
    named = [value for key, value in body.items() if key != "_id"] or list(body.values())
    return any(not (isinstance(value, int | float) and not value) for value in named)


def _keeping(new_root: Any) -> Stage:
    return {"$mergeObjects": [_expression(new_root), {HIDDEN: f"${HIDDEN}"}]}


def _expression(value: Any) -> Any:
    """Read the hidden field in place of {$meta: ...}, and remove it from $$ROOT."""
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
