"""The JSON of the API's answers, as schemas of OpenAPI 3.1 (JSON Schema 2020-12).

Words that the code lists, such as the statuses, are taken from there.
"""

from __future__ import annotations

from collections.abc import Mapping

from allthethings.assets.asset import AssetStatus
from allthethings.assets.diffs import Did
from allthethings.assets.imports import Fate, ImportState
from allthethings.assets.looks import Outcome as LookOutcome
from allthethings.assets.looks import Schedule
from allthethings.errors import ErrorCode
from allthethings.pipeline.checks import Outcome
from allthethings.processors import kinds
from allthethings.search.results import Away
from allthethings.search.syntax import FIELDS
from allthethings.web.looks import DEFAULT
from allthethings.web.openapi.deliveries import DELIVERIES
from allthethings.web.openapi.terms import (
    COUNT,
    FLAG,
    ID,
    NUMBER,
    TEXT,
    TIME,
    Fields,
    Schema,
    many,
    maybe,
    obj,
    one_of,
    ref,
)

_ERROR_CODE = maybe(ref("ErrorCode"))

# The values of a facet, most first.
_COUNTED = many(obj({"value": TEXT, "count": COUNT}))

_ASSET: Fields = {
    "id": ID,
    "url": TEXT,
    "title": maybe(TEXT),
    "author": maybe(TEXT),
    "dated": maybe(TEXT),
    "duration": {**maybe(NUMBER), "description": "seconds"},
    "language": {**maybe(TEXT), "description": "ISO 639"},
    "remark": maybe(TEXT),
    "video_url": {**maybe(TEXT), "description": "the video of which these are the subtitles"},
    "picture": {**maybe(TEXT), "description": "the path of a small picture"},
    "content_type": TEXT,
    "content_length": {**maybe(COUNT), "description": "bytes"},
    "status": ref("Status"),
    "error": maybe(TEXT),
    "error_code": _ERROR_CODE,
    "retryable": FLAG,
    "attempt": COUNT,
    "max_attempts": COUNT,
    "next_attempt_at": maybe(TIME),
    "created_at": TIME,
    "updated_at": TIME,
    "looks": ref("Looks"),
}
_STATE: Fields = {"progress": ref("Progress"), "now": ref("Now")}
_PASSAGE: Fields = {
    "position": COUNT,
    "text": TEXT,
    "parts": {
        **many({"type": "array", "prefixItems": [TEXT, FLAG], "minItems": 2, "maxItems": 2}),
        "description": "pieces of the text, each with whether it is marked",
    },
    "sentence": ref("Sentence"),
    "locator": ref("Locator"),
    "link": {**TEXT, "description": "leads to the sentence in the original"},
    "score": NUMBER,
    "similarity": maybe(NUMBER),
}
_IMPORT: Fields = {
    "id": ID,
    "address": TEXT,
    "state": one_of(ImportState),
    "lines": COUNT,
    "counts": obj({fate.value: COUNT for fate in Fate}),
    "notes": many(TEXT),
    "created_at": TIME,
    "list": FLAG,
    "look_again_at": maybe(TIME),
    "looking": {**FLAG, "description": "whether new entries are being looked for"},
}
_SPAN: Schema = {"type": "array", "items": COUNT, "minItems": 2, "maxItems": 2}

SCHEMAS: Mapping[str, Schema] = {
    "Status": one_of(AssetStatus),
    "ErrorCode": one_of(ErrorCode),
    "Kind": one_of(kinds()),
    "Error": obj({"error": TEXT}, {"error_code": _ERROR_CODE, "retryable": FLAG}),
    "Looks": obj(
        {
            "schedule": one_of([*Schedule, DEFAULT]),
            "next_at": maybe(TIME),
            "at": maybe(TIME),
            "outcome": maybe(one_of(LookOutcome)),
            "error": maybe(TEXT),
            "error_code": _ERROR_CODE,
            "failures": COUNT,
            "failing_since": maybe(TIME),
            "gone_since": maybe(TIME),
            "changed_at": maybe(TIME),
            "moved_to": maybe(TEXT),
            "revision": COUNT,
        }
    ),
    "Progress": obj(
        {
            "embedded": COUNT,
            "total": COUNT,
            "ahead": COUNT,
            "running": maybe(FLAG),
            "share": maybe({"type": "number", "minimum": 0, "maximum": 1}),
        }
    ),
    "Now": obj({"percent": maybe(COUNT), "doing": TEXT, "trouble": TEXT, "advice": TEXT}),
    "Asset": obj(_ASSET),
    "AssetState": obj(
        {
            **_ASSET,
            **_STATE,
            "being_made": {**FLAG, "description": "whether it is being replaced by a new version"},
        }
    ),
    "WholeAsset": obj(
        {
            **_ASSET,
            **_STATE,
            "text": maybe(TEXT),
            "history": many(ref("Entry")),
            "replicate_request": maybe(ref("Told")),
            "replicate_response": maybe(ref("Told")),
            "changes": many(ref("Change")),
        }
    ),
    "Entry": {
        **obj({"status": ref("Status"), "at": TIME}),
        "description": "a change of the status, with what is known of it",
        "additionalProperties": True,
    },
    "Told": {
        "type": "object",
        "description": "a prediction as Replicate told it, without its output",
        "additionalProperties": True,
    },
    "Change": obj(
        {
            "at": TIME,
            "former_title": maybe(TEXT),
            "added": COUNT,
            "removed": COUNT,
            "kept": COUNT,
            "passages": many(obj({"what": one_of(Did)}, {"text": TEXT, "count": COUNT})),
            "left_out": COUNT,
        }
    ),
    "Locator": {
        **obj(
            {},
            {
                "start": {**NUMBER, "description": "seconds"},
                "end": {**NUMBER, "description": "seconds"},
                "page": COUNT,
                "slide": COUNT,
                "to": {**COUNT, "description": "the last slide"},
                "sheet": TEXT,
                "rows": _SPAN,
                "lines": _SPAN,
                "heading": TEXT,
            },
        ),
        "description": "a place in a thing; empty where none is known",
    },
    "Sentence": obj(
        {
            "text": TEXT,
            "start": {**COUNT, "description": "its first character in the passage"},
            "end": {**COUNT, "description": "the character behind its last"},
            "locator": ref("Locator"),
            "by": {**maybe(one_of(["words", "meaning"])), "description": "what chose it"},
        }
    ),
    "Passage": obj(_PASSAGE),
    "Answer": obj({"asset_id": ID, **_PASSAGE}),
    "Result": obj(
        {
            "asset_id": ID,
            "title": TEXT,
            "url": TEXT,
            "host": TEXT,
            "kind": ref("Kind"),
            "content_type": TEXT,
            "content_length": maybe(COUNT),
            "picture": maybe(TEXT),
            "language": maybe(TEXT),
            "served_badly": FLAG,
            "added": TIME,
            "score": NUMBER,
            "similarity": maybe(NUMBER),
            "matched": one_of(["meaning", "words", "both", "nothing"]),
            "strength": one_of(["strong", "weak", "none"]),
            "passages": many(ref("Passage")),
        }
    ),
    "Results": obj(
        {
            "query": TEXT,
            "results": many(ref("Result")),
            "page": COUNT,
            "more": FLAG,
            "close": FLAG,
            "words_alone": FLAG,
            "meaning_alone": FLAG,
            "away": maybe(one_of(Away)),
            "reranked": maybe(FLAG),
            "did_you_mean": maybe(TEXT),
            "facets": obj({"things": COUNT, **dict.fromkeys(("kind", "site", "year"), _COUNTED)}),
            "under_way": COUNT,
            "took_ms": COUNT,
        },
        {"error": TEXT, "like": TEXT, **dict.fromkeys(FIELDS, TEXT)},
    ),
    "Import": obj(_IMPORT),
    "WholeImport": obj(
        {
            **_IMPORT,
            "things": maybe(obj({"searchable": COUNT, "under way": COUNT, "failed": COUNT})),
        }
    ),
    "Line": obj(
        {
            "number": COUNT,
            "url": TEXT,
            "times": COUNT,
            "entry": maybe(TEXT),
            "outcome": one_of(Fate),
            "message": TEXT,
            "error_code": _ERROR_CODE,
            "asset_id": maybe(ID),
            "title": maybe(TEXT),
            "status": maybe(ref("Status")),
        }
    ),
    "Checked": obj(
        {
            "url": TEXT,
            "outcome": one_of(Outcome),
            "message": TEXT,
            "code": COUNT,
            "times": COUNT,
            "asset": maybe(ref("Asset")),
        },
        {"kind": ref("Kind"), "content_length": maybe(COUNT), "title": maybe(TEXT)},
    ),
    "Transcript": obj(
        {"id": ID, "url": TEXT, "title": maybe(TEXT), "kind": ref("Kind"), "text": TEXT},
        {
            "segments": many(obj({"start": NUMBER, "end": NUMBER, "text": TEXT})),
            "passages": many(ref("TranscriptPassage")),
        },
    ),
    "TranscriptPassage": {
        **obj({"text": TEXT, "heading": maybe(TEXT)}),
        "description": "with the fields of its Locator",
        "additionalProperties": True,
    },
    **DELIVERIES,
}
