"""Reads vectors from documents and queries: arrays of numbers, or BSON binary vectors.

Source of the binary layout: https://bsonspec.org/spec.html, binary subtype 9.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from bson.binary import VECTOR_SUBTYPE, Binary

from localcloud.atlas.vector.nearest import Floats

# The element types of binary vectors: float32 and int8.
_LAYOUTS: dict[int, np.dtype[Any]] = {0x27: np.dtype("<f4"), 0x03: np.dtype("i1")}


def parse_vector(value: object) -> Floats | None:
    """The value as a float32 vector; None if it is not one.

    Packed-bit vectors and elements that are not finite numbers are not accepted.
    """
    if isinstance(value, Binary):
        vector = _from_binary(value)
    elif isinstance(value, list) and all(type(item) is float or _is_int(item) for item in value):
        with np.errstate(over="ignore"):
            vector = np.array(value, np.float64).astype(np.float32)
    else:
        return None
    return vector if vector is not None and bool(np.isfinite(vector).all()) else None


def _is_int(item: object) -> bool:
    return isinstance(item, int) and not isinstance(item, bool)


def _from_binary(value: Binary) -> Floats | None:
    if value.subtype != VECTOR_SUBTYPE or len(value) < 2:
        return None
    layout = _LAYOUTS.get(value[0])
    if layout is None or value[1] != 0 or (len(value) - 2) % layout.itemsize:
        return None
    vector: Floats = np.frombuffer(value, layout, offset=2).astype(np.float32)
    return vector


def vector_at(document: Mapping[str, Any], path: str) -> Floats | None:
    """The vector at a dotted path through embedded documents; None if there is none."""
    value: Any = document
    for key in path.split("."):
        if not isinstance(value, Mapping) or key not in value:
            return None
        value = value[key]
    return parse_vector(value)
