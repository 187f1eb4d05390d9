# SPDX-License-Identifier: GPL-2.0-only
"""What an update need not write again, and need not copy.

SecantusDB deletes every index entry of a document and writes all of them anew, though an update
mostly changes the keys of one index or two; and it copies every value of the document.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from bson import ObjectId

Document = dict[str, Any]
# Name, key, and whether it is sparse and unique.
Index = tuple[str, dict[str, Any], bool, bool]
# Types of which two equal values have the same key.
SIMPLE = frozenset({str, int, bool, datetime, ObjectId})


def changed(
    indexes: Iterable[Index], partial: Mapping[str, Any], before: Document, after: Document
) -> list[Index]:
    """The indexes in which the two states of a document may have other keys. Those in `partial`
    have a filter, which may tell them apart by any field."""
    return [
        each for each in indexes if each[0] in partial or not _same_keys(each[1], before, after)
    ]


def _same_keys(key: Mapping[str, Any], before: Document, after: Document) -> bool:
    return all(_same(field.partition(".")[0], before, after) for field in key)


def _same(name: str, before: Document, after: Document) -> bool:
    if (name in before) != (name in after):  # a sparse index tells null from nothing
        return False
    one, other = before.get(name), after.get(name)
    return one is other or (type(one) is type(other) and type(one) in SIMPLE and one == other)


class Copies:
    """What SecantusDB uses of the module `copy`."""

    @staticmethod
    def deepcopy(value: Any) -> Any:
        """A copy that can be changed without the original. Of what is in a document, only documents
        and arrays can be changed; other values are shared."""
        if isinstance(value, dict):
            return {name: Copies.deepcopy(each) for name, each in value.items()}
        if isinstance(value, list):
            return [Copies.deepcopy(each) for each in value]
        return value
