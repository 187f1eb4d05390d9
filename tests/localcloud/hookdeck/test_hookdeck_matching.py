"""Filters and deduplicate keys over a request's content."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.hookdeck.matching import content, dedupe_key, matches, unmatched_parts
from localcloud.hookdeck.models import Received
from localcloud.hookdeck.rules import DedupeRule

BODY = {"type": "done", "n": 3, "ok": True, "tags": ["a", "b"], "in": {"deep": [1, 2]}}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ({"type": "done"}, True),
        ({"type": "gone"}, False),
        ({"missing": None}, False),
        ({"n": 3, "type": "done"}, True),
        ({"n": 3, "type": "gone"}, False),
        ({"ok": True}, True),
        ({"ok": 1}, False),
        ({"tags": "a"}, True),
        ({"tags": ["b", "a"]}, True),
        ({"tags": ["c"]}, False),
        ({"in": {"deep": [2]}}, True),
        ({"type": {"$eq": "done"}}, True),
        ({"type": {"$neq": "done"}}, False),
        ({"n": {"$gt": 2, "$lte": 3}}, True),
        ({"n": {"$lt": 3}}, False),
        ({"n": {"$gte": "3"}}, False),
        ({"type": {"$in": ["done", "failed"]}}, True),
        ({"type": {"$in": "undone"}}, False),
        ({"type": {"$nin": ["done"]}}, False),
        ({"type": {"$startsWith": "do"}}, True),
        ({"type": {"$endsWith": ["x", "ne"]}}, True),
        ({"type": {"$exist": True}, "nope": {"$exist": False}}, True),
        ({"type": {"$not": {"$eq": "gone"}}}, True),
        ({"$or": [{"type": "x"}, {"n": 3}]}, True),
        ({"$and": [{"type": "done"}, {"n": 4}]}, False),
    ],
)
def test_filter_language(pattern: Any, *, expected: bool) -> None:
    assert matches(pattern, BODY) is expected


def test_a_filter_names_the_parts_that_refuse() -> None:
    received = Received("POST", "/a", "x=1", (("X-Kind", "test"),), b'{"type": "done"}')
    rule = {
        "type": "filter",
        "body": {"type": "other"},
        "headers": {"x-kind": "test"},
        "path": "/a",
        "query": {"x": "2"},
    }
    assert unmatched_parts(rule, content(received)) == ["body", "query"]


def parts(body: Any, path: str = "/", **headers: str) -> dict[str, Any]:
    return {"body": body, "path": path, "query": {}, "headers": headers}


ITEMS = {"items": [{"sku": 1, "at": 5}, {"sku": 2, "at": 6}]}
ITEMS_LATER = {"items": [{"sku": 1, "at": 7}, {"sku": 2, "at": 8}]}


@pytest.mark.parametrize(
    ("rule", "one", "other", "same"),
    [
        (DedupeRule(1000), parts({"a": 1}), parts({"a": 1}), True),
        (DedupeRule(1000), parts({"a": 1}, date="x"), parts({"a": 1}, date="y"), True),
        (DedupeRule(1000), parts({"a": 1}), parts({"a": 2}), False),
        (DedupeRule(1000), parts({"a": 1}, "/x"), parts({"a": 1}, "/y"), False),
        (
            DedupeRule(1000, include=("body.id",)),
            parts({"id": 1, "t": 1}),
            parts({"id": 1, "t": 2}),
            True,
        ),
        (DedupeRule(1000, include=("body.id",)), parts({"id": 1}), parts({"id": 2}), False),
        (DedupeRule(1000, include=("headers.x",)), parts({}, x="1"), parts({}, x="2"), False),
        (DedupeRule(1000, include=("body.items[*].sku",)), parts(ITEMS), parts(ITEMS_LATER), True),
        (DedupeRule(1000, include=("body.items[0].at",)), parts(ITEMS), parts(ITEMS_LATER), False),
        (DedupeRule(1000, exclude=("body.t",)), parts({"t": 1}), parts({"t": 2}), True),
        (DedupeRule(1000, exclude=("body.items[*].at",)), parts(ITEMS), parts(ITEMS_LATER), True),
        (DedupeRule(1000, exclude=("body.items[0].at",)), parts(ITEMS), parts(ITEMS_LATER), False),
        (DedupeRule(1000, exclude=("body.none.t",)), parts("text"), parts("text"), True),
    ],
)
def test_dedupe_keys(
    rule: DedupeRule, one: dict[str, Any], other: dict[str, Any], *, same: bool
) -> None:
    assert (dedupe_key(rule, one) == dedupe_key(rule, other)) is same
