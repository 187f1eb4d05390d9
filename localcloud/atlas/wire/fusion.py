"""$rankFusion: merges several ranked pipelines into one.

Source: https://www.mongodb.com/docs/manual/reference/operator/aggregation/rankFusion/. This server
refuses `scoreDetails`, and has no $scoreFusion.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from bson.binary import Binary
from bson.datetime_ms import DatetimeMS
from bson.objectid import ObjectId

from localcloud.atlas.options import Options
from localcloud.atlas.wire.errors import CommandError
from localcloud.atlas.wire.hits import Found, Hit
from localcloud.atlas.wire.rewriting import Stage, name_of

NAME = "$rankFusion"
# The constant in the formula of reciprocal rank fusion: weight / (60 + rank).
RANK_CONSTANT = 60
_SEARCHES = ("$search", "$vectorSearch")
_FUSIONS = (NAME, "$scoreFusion")
# The stages that an input pipeline may consist of.
_SELECTIONS = ("$limit", "$match", "$sample", "$search", "$skip", "$sort", "$vectorSearch")
_RANKED = (
    f"All subpipelines to the {NAME} stage must begin with one of $search, $vectorSearch,"
    " $geoNear, or have a custom $sort in the pipeline."
)
_NAMING = f"{NAME} pipeline names must follow the naming rules of field path expressions."


@dataclass(frozen=True)
class Ranked:
    """A document that an input pipeline returned, with its rank there, counted from 1.

    Documents that the pipeline's order does not distinguish share a rank. `hit` may lack the
    packed document.
    """

    hit: Hit
    rank: int


@dataclass(frozen=True)
class _StageOptions(Options):
    """Options with complaints in the words of MongoDB's server."""

    def unknown(self, key: str) -> NoReturn:
        message = f"BSON field '{self.path(key)}' is an unknown field."
        raise CommandError("Location40415", message)

    def missing(self, key: str) -> NoReturn:
        message = f"BSON field '{self.path(key)}' is missing but a required field"
        raise CommandError("Location40414", message)

    def mistyped(self, key: str, kind: str) -> NoReturn:
        raise CommandError("TypeMismatch", f"BSON field '{self.path(key)}' must be {kind}")


@dataclass(frozen=True)
class Fusion:
    """A checked stage: the input pipelines and their weights, by name."""

    pipelines: Mapping[str, Sequence[Stage]]
    weights: Mapping[str, float]

    @classmethod
    def parse(cls, stage: object) -> Fusion:
        """Raises CommandError."""
        if not isinstance(stage, Mapping):
            raise CommandError(
                "FailedToParse", f"{NAME} must take a nested object but found: {stage}"
            )
        options = _StageOptions(stage, NAME)
        options.only("input", "combination", "scoreDetails")
        given = options.inner("input")
        given.only("pipelines")
        pipelines = given.inner("pipelines").document
        if not pipelines:
            raise CommandError("BadValue", f"{NAME} must have at least one input pipeline")
        for name, stages in pipelines.items():
            _check_pipeline(stages)
            _check_name(name)
        if options.boolean("scoreDetails"):
            raise CommandError("CommandNotSupported", f"this server has no scoreDetails for {NAME}")
        return cls(dict(sorted(pipelines.items())), _weights(options, pipelines))

    def fuse(self, ranked: Mapping[str, Sequence[Ranked]]) -> Found:
        """Merge the documents of the pipelines, which are given by name, into one list."""
        hits: dict[bytes, Hit] = {}
        parts: dict[bytes, list[float]] = {}
        for name, several in ranked.items():
            for one in several:
                known = hits.setdefault(one.hit.key, one.hit)
                if known.packed is None:
                    hits[one.hit.key] = one.hit
                part = self.weights[name] / (RANK_CONSTANT + one.rank)
                parts.setdefault(one.hit.key, []).append(part)
        fused = [
            Hit(key, {"score": math.fsum(parts[key])}, hit.packed) for key, hit in hits.items()
        ]
        fused.sort(key=lambda hit: (-hit.meta["score"], id_order(hit.id)))
        return Found(fused, frozenset({"score"}))


def ranks(keys: Sequence[object]) -> list[int]:
    """The ranks of ordered keys, from 1. Equal neighbours share the rank of the first."""
    found: list[int] = []
    for place, key in enumerate(keys):
        same = place > 0 and key == keys[place - 1]
        found.append(found[-1] if same else place + 1)
    return found


def id_order(value: object) -> tuple[int, Any]:
    """A sort key for an _id in MongoDB's order of types and values."""
    match value:
        case None:
            return (1, 0)
        case bool():
            return (7, value)
        case int() | float():
            return (2, value)
        case str():
            return (3, value.encode())
        case Mapping():
            return (4, [(key, id_order(item)) for key, item in value.items()])
        case Binary() | bytes():
            return (5, (len(value), getattr(value, "subtype", 0), bytes(value)))
        case ObjectId():
            return (6, value.binary)
        case DatetimeMS():
            return (8, int(value))
        case _:
            return (9, str(value))


def _check_pipeline(stages: object) -> None:
    if not isinstance(stages, list):
        raise CommandError("TypeMismatch", f"{NAME} input pipeline must be an array. {_RANKED}")
    if not stages:
        raise CommandError("Location9834300", f"{NAME} input pipeline cannot be empty. {_RANKED}")
    names = [name_of(stage) for stage in stages]
    if any(one in _FUSIONS for one in names):
        raise CommandError(
            "Location10473002",
            f"{NAME} input pipeline has a nested hybrid search stage ($rankFusion/$scoreFusion)."
            f" {_RANKED}",
        )
    if names[0] not in _SEARCHES and "$sort" not in names:
        raise CommandError(
            "Location9191100",
            "Pipeline did not begin with a ranked stage and did not contain an explicit $sort"
            f" stage. {_RANKED}",
        )
    for one in names:
        if one not in _SELECTIONS:
            raise CommandError(
                "Location9191103",
                f"{one} is not a selection stage because it modifies or transforms the input"
                " documents. Only stages that retrieve, limit, or order documents are allowed.",
            )


def _check_name(name: str) -> None:
    if not name:
        code, rule = "Location15998", "may not be empty strings."
    elif name.startswith("$"):
        code, rule = "Location16410", "may not start with '$'."
    elif "." in name:
        code, rule = "Location16412", "may not contain '.'."
    else:
        return
    raise CommandError(code, f"{_NAMING} FieldPath field names {rule}")


def _weights(options: Options, pipelines: Mapping[str, object]) -> Mapping[str, float]:
    weights: dict[str, float] = dict.fromkeys(pipelines, 1)
    if options.document.get("combination") is None:
        return weights
    combination = options.inner("combination")
    combination.only("weights")
    given = combination.inner("weights").document
    unknown = [name for name in given if name not in pipelines]
    if unknown:
        raise CommandError(
            "Location9460301" if len(given) > len(pipelines) else "Location9967500",
            f"{NAME} stage contained ({len(unknown)}) weight(s) in 'combination.weights' that did"
            f" not reference valid pipeline names: [{', '.join(unknown)}]",
        )
    for name, weight in given.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            raise CommandError("TypeMismatch", f"{NAME}'s pipeline weight must be a number")
        if not 0 <= weight < math.inf:
            raise CommandError(
                "Location9460300",
                f"{NAME[1:]}'s pipeline weight must be non-negative, but given {weight} for"
                f" pipeline '{name}'.",
            )
        weights[name] = weight
    return weights
