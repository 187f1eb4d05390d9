"""$rankFusion and $scoreFusion: several ranked pipelines made into one.

Source: https://www.mongodb.com/docs/manual/reference/operator/aggregation/rankFusion/ and
.../scoreFusion/, whose `combination.method: "expression"` and `$score` stage are not done.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bson.binary import Binary
from bson.datetime_ms import DatetimeMS
from bson.objectid import ObjectId

from localcloud.atlas.wire.errors import CommandError
from localcloud.atlas.wire.hits import Found, Hit
from localcloud.atlas.wire.pipeline import Stage, name_of

RANK_CONSTANT = 60
_SEARCHES = ("$search", "$vectorSearch")
_FUSIONS = ("$rankFusion", "$scoreFusion")
_SELECTIONS = ("$limit", "$match", "$sample", "$search", "$skip", "$sort", "$vectorSearch")
_NORMALIZATIONS = ("none", "sigmoid", "minMaxScaler")
_RANKED = (
    "All subpipelines to the $rankFusion stage must begin with one of $search, $vectorSearch,"
    " $geoNear, or have a custom $sort in the pipeline."
)
_SCORED = (
    "All subpipelines to the $scoreFusion stage must begin with one of $search, $vectorSearch,"
    " or have a custom $score in the pipeline."
)
_DESCRIPTIONS = {
    "$rankFusion": "value output by reciprocal rank fusion algorithm, computed as sum of"
    " (weight * (1 / (60 + rank))) across input pipelines from which this document is output,"
    " from:",
    "$scoreFusion": "the value calculated by combining the scores (either normalized or raw)"
    " across input pipelines from which this document is output from:",
}


@dataclass(frozen=True)
class Ranked:
    """A document that an input pipeline gave, with its rank there, from 1. Documents that the
    pipeline's order does not tell apart share one."""

    hit: Hit
    rank: int
    score: float | None


@dataclass
class _Fused:
    hit: Hit
    inputs: dict[str, Ranked] = field(default_factory=dict)


@dataclass(frozen=True)
class Fusion:
    """The stage, checked. `normalization` is what a $scoreFusion has."""

    name: str
    pipelines: Mapping[str, Sequence[Stage]]
    weights: Mapping[str, float]
    details: bool
    normalization: str | None

    @classmethod
    def parse(cls, name: str, stage: object) -> Fusion:
        """Raises CommandError."""
        if not isinstance(stage, Mapping):
            raise CommandError(
                "FailedToParse", f"{name} must take a nested object but found: {stage}"
            )
        _only(name, stage, "input", "combination", "scoreDetails")
        given = _document(name, stage, "input")
        scored = name == "$scoreFusion"
        _only(f"{name}.input", given, "pipelines", *(["normalization"] if scored else []))
        pipelines = _document(f"{name}.input", given, "pipelines")
        if not pipelines:
            raise CommandError("BadValue", f"{name} must have at least one input pipeline")
        for key, stages in pipelines.items():
            _check_pipeline(name, stages)
            _check_name(name, key)
        return cls(
            name,
            dict(sorted(pipelines.items())),
            _weights(name, stage.get("combination"), pipelines),
            _boolean(name, stage, "scoreDetails"),
            _normalization(given) if scored else None,
        )

    def fuse(self, ranked: Mapping[str, Sequence[Ranked]]) -> Found:
        """One list of what the pipelines gave, by name."""
        fused: dict[bytes, _Fused] = {}
        for name, several in ranked.items():
            for one in several:
                entry = fused.setdefault(one.hit.key, _Fused(one.hit))
                if entry.hit.packed is None:
                    entry.hit = one.hit
                entry.inputs.setdefault(name, one)
        parts = self._parts(ranked)
        hits = [self._hit(entry, parts) for entry in fused.values()]
        hits.sort(key=lambda hit: (-hit.meta["score"], id_order(hit.id)))
        return Found(hits, frozenset({"score", "scoreDetails"} if self.details else {"score"}))

    def _parts(self, ranked: Mapping[str, Sequence[Ranked]]) -> dict[str, dict[bytes, float]]:
        """What each pipeline adds to each document."""
        parts = {}
        for name, several in ranked.items():
            weight = self.weights[name]
            if self.normalization is None:
                own = {one.hit.key: weight / (RANK_CONSTANT + one.rank) for one in several}
            else:
                scores = [one.score or 0.0 for one in several]
                normal = _normalized(scores, self.normalization)
                keys = (one.hit.key for one in several)
                own = {key: weight * score for key, score in zip(keys, normal, strict=True)}
            parts[name] = own
        return parts

    def _hit(self, entry: _Fused, parts: Mapping[str, Mapping[bytes, float]]) -> Hit:
        key = entry.hit.key
        score = math.fsum(own.get(key, 0.0) for own in parts.values())
        if self.normalization is not None:
            score /= len(parts)
        meta: dict[str, Any] = {"score": score}
        if self.details:
            meta["scoreDetails"] = self._details(entry, score, parts)
        return Hit(key, meta, entry.hit.packed)

    def _details(
        self, entry: _Fused, score: float, parts: Mapping[str, Mapping[bytes, float]]
    ) -> dict[str, Any]:
        details = []
        for name, own in parts.items():
            one = entry.inputs.get(name)
            told: dict[str, Any] = {"inputPipelineName": name}
            if self.normalization is None:
                told |= {"rank": one.rank if one else "NA", "weight": self.weights[name]}
                if one is not None and one.score is not None:
                    told["value"] = one.score
            else:
                told["inputPipelineRawScore"] = (one.score or 0.0) if one else 0.0
                told |= {"weight": self.weights[name], "value": own.get(entry.hit.key, 0.0)}
            details.append({**told, "details": []})
        whole = {"value": score, "description": _DESCRIPTIONS[self.name]}
        if self.normalization is not None:
            whole["normalization"] = self.normalization
            whole["combination"] = {"method": "average"}
        return {**whole, "details": details}


def _normalized(scores: Sequence[float], normalization: str) -> list[float]:
    if normalization == "sigmoid":
        return [1 / (1 + math.exp(-score)) for score in scores]
    if normalization == "minMaxScaler" and scores:
        low, width = min(scores), max(scores) - min(scores)
        return [(score - low) / width if width else 0.0 for score in scores]
    return list(scores)


def ranks(keys: Sequence[object]) -> list[int]:
    """Of things in order, whose equal keys share the rank of the first of them."""
    found: list[int] = []
    for place, key in enumerate(keys):
        same = place > 0 and key == keys[place - 1]
        found.append(found[-1] if same else place + 1)
    return found


def id_order(value: object) -> tuple[int, Any]:
    """Where an _id stands in MongoDB's order of types and values."""
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


# Checks


def _check_pipeline(name: str, stages: object) -> None:
    scored = name == "$scoreFusion"
    advice = _SCORED if scored else _RANKED
    if not isinstance(stages, list):
        raise CommandError("TypeMismatch", f"{name} input pipeline must be an array. {advice}")
    if not stages:
        code = "Location9402503" if scored else "Location9834300"
        raise CommandError(code, f"{name} input pipeline cannot be empty. {advice}")
    names = [name_of(stage) for stage in stages]
    if any(one in _FUSIONS for one in names):
        raise CommandError(
            "Location10473003" if scored else "Location10473002",
            f"{name} input pipeline has a nested hybrid search stage"
            f" ($rankFusion/$scoreFusion). {advice}",
        )
    if names[0] not in _SEARCHES and (scored or "$sort" not in names):
        begun = "Pipeline did not begin with a ranked stage and did not contain an explicit $sort"
        raise CommandError(
            "Location9402500" if scored else "Location9191100",
            advice if scored else f"{begun} stage. {advice}",
        )
    for one in names:
        if one not in _SELECTIONS:
            raise CommandError(
                "Location9402502" if scored else "Location9191103",
                f"{one} is not a selection stage because it modifies or transforms the input"
                " documents. Only stages that retrieve, limit, or order documents are allowed.",
            )


def _check_name(name: str, key: str) -> None:
    rule = f"{name} pipeline names must follow the naming rules of field path expressions."
    if not key:
        raise CommandError(
            "Location15998", f"{rule} FieldPath field names may not be empty strings."
        )
    if key.startswith("$"):
        raise CommandError("Location16410", f"{rule} FieldPath field names may not start with '$'.")
    if "." in key:
        raise CommandError("Location16412", f"{rule} FieldPath field names may not contain '.'.")


def _weights(
    name: str, combination: object, pipelines: Mapping[str, object]
) -> Mapping[str, float]:
    weights: dict[str, float] = dict.fromkeys(pipelines, 1)
    if combination is None:
        return weights
    given = _document(name, {"combination": combination}, "combination")
    if name == "$scoreFusion":
        _only(f"{name}.combination", given, "weights", "method", "expression")
        if given.get("method", "avg") != "avg" or "expression" in given:
            raise CommandError(
                "CommandNotSupported", f"this server runs {name} with the method avg only"
            )
        if "weights" not in given:
            return weights
    else:
        _only(f"{name}.combination", given, "weights")
    chosen = _document(f"{name}.combination", given, "weights")
    unknown = [key for key in chosen if key not in pipelines]
    if unknown:
        raise CommandError(
            "Location9460301" if len(chosen) > len(pipelines) else "Location9967500",
            f"{name} stage contained ({len(unknown)}) weight(s) in 'combination.weights' that did"
            f" not reference valid pipeline names: [{', '.join(unknown)}]",
        )
    for key, weight in chosen.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            raise CommandError("TypeMismatch", f"{name}'s pipeline weight must be a number")
        if not 0 <= weight < math.inf:
            raise CommandError(
                "Location9460300",
                f"{name[1:]}'s pipeline weight must be non-negative, but given {weight} for"
                f" pipeline '{key}'.",
            )
        weights[key] = weight
    return weights


def _normalization(given: Mapping[str, Any]) -> str:
    value = given.get("normalization")
    if value is None:
        raise _missing("$scoreFusion.input", "normalization")
    if value not in _NORMALIZATIONS:
        raise CommandError(
            "BadValue",
            f"Enumeration value '{value}' for field '$scoreFusion.input.normalization' is not a"
            " valid value.",
        )
    return str(value)


def _document(where: str, given: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = given.get(key)
    if value is None:
        raise _missing(where, key)
    if not isinstance(value, Mapping):
        raise CommandError("TypeMismatch", f"BSON field '{where}.{key}' must be an object")
    return value


def _boolean(where: str, given: Mapping[str, Any], key: str) -> bool:
    value = given.get(key, False)
    if not isinstance(value, bool):
        raise CommandError("TypeMismatch", f"BSON field '{where}.{key}' must be a bool")
    return value


def _only(where: str, given: Mapping[str, Any], *known: str) -> None:
    for key in given:
        if key not in known:
            raise CommandError("Location40415", f"BSON field '{where}.{key}' is an unknown field.")


def _missing(where: str, key: str) -> CommandError:
    return CommandError(
        "Location40414", f"BSON field '{where}.{key}' is missing but a required field"
    )
