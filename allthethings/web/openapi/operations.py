"""What each route takes and answers, as operations of OpenAPI 3.1."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from allthethings.assets.imports import Fate
from allthethings.assets.looks import Schedule
from allthethings.pipeline.submission import Links
from allthethings.processors import webhooks
from allthethings.search.search import LAST_PAGE
from allthethings.search.syntax import FILTERS
from allthethings.store.asset_list import ASSETS_PER_PAGE
from allthethings.web.errors import HEALTH, WEBHOOKS
from allthethings.web.gateway import STATUSES
from allthethings.web.list_address import MAX_ASSETS_PER_PAGE, SORTS
from allthethings.web.looks import DEFAULT
from allthethings.web.openapi.terms import COUNT, FLAG, ID, TEXT, Fields, Schema, many, obj, ref

JSON = "application/json"
# What the answers of each status mean where an operation says nothing else.
MEANINGS: Mapping[int, str] = {
    200: "The answer",
    201: "It is being indexed",
    202: "It is being done",
    400: "The request cannot be understood",
    404: "It does not exist",
    409: "It is not in a state for that",
    422: "It cannot be accepted",
    502: "Hookdeck refused",
    503: "A service is away",
}
ASSET = obj({"asset": ref("Asset")})
IMPORT = obj({"import": ref("Import")})
SUBMITTED = obj({"asset": ref("Asset"), "message": TEXT})
DONE = obj({"message": TEXT})
FILE: Schema = {**TEXT, "contentMediaType": "application/octet-stream"}
VIDEO_URL: Schema = {**TEXT, "description": "the video of which the thing is the subtitles"}
URLS: Fields = {"urls": {**TEXT, "description": "one URL a line"}, "file": FILE}


def operation(
    summary: str,
    answers: Mapping[int, Schema],
    *,
    errors: Sequence[int] = (),
    query: Fields | None = None,
    form: Schema | None = None,
) -> dict[str, Any]:
    """An operation with the schema of each status; `query` are its parameters, all optional, and
    `form` is the schema of its form. `errors`, and every other status, answer an Error."""
    told: dict[str, Any] = {
        "summary": summary,
        "parameters": [
            {"name": name, "in": "query", "schema": schema}
            for name, schema in (query or {}).items()
        ],
        "responses": {
            **{str(code): _response(code, schema) for code, schema in answers.items()},
            **{str(code): _response(code, ref("Error")) for code in errors},
            "default": {"$ref": "#/components/responses/Refusal"},
        },
    }
    if form is not None:
        types = ("application/x-www-form-urlencoded", "multipart/form-data")
        told["requestBody"] = {"content": {kind: {"schema": form} for kind in types}}
    return told


def _response(code: int, schema: Schema) -> dict[str, Any]:
    return {"description": MEANINGS[code], "content": {JSON: {"schema": schema}}}


def paths() -> dict[str, dict[str, Any]]:
    """The operations by path and method, with the parameters that stand in each path."""
    found: dict[str, dict[str, Any]] = {}
    for route, told in {**OPERATIONS, **_callbacks()}.items():
        method, _, path = route.partition(" ")
        in_path = [
            {"name": name, "in": "path", "required": True, "schema": TEXT}
            for name in re.findall(r"{(\w+)}", path)
        ]
        whole = {**told, "parameters": [*in_path, *told["parameters"]]}
        found.setdefault(path, {})[method.lower()] = whole
    return found


def _callbacks() -> dict[str, dict[str, Any]]:
    """The routes that Hookdeck calls: one for each model that makes text, and that of vectors."""
    ends = [*(f"{name}/{{asset_id}}" for name in webhooks()), "embedding/{asset_id}/{first}-{last}"]
    told = operation(
        "For Hookdeck: a prediction of Replicate, signed in x-hookdeck-signature",
        {200: obj({"status": TEXT})},
        errors=(400, 404, 503),
    )
    told["requestBody"] = {"content": {JSON: {"schema": {"type": "object"}}}}
    told["security"] = []
    return {f"POST {WEBHOOKS}{end}": told for end in ends}


_LINK: Schema = {"type": ["string", "null"]}
_SEARCH: Fields = {
    "query": {**TEXT, "description": "words, with the search syntax"},
    **{
        name: {**TEXT, "description": f"{each.label}, such as {each.example}"}
        for name, each in FILTERS.items()
    },
    "like": {**TEXT, "description": "the id of a thing, or <id>:<position>, in place of a query"},
    "page": {"type": "integer", "minimum": 1, "maximum": LAST_PAGE},
}
# A query that fails is answered with its `error` and no results.
_FOUND = dict.fromkeys((200, 400, 503), ref("Results"))
_LIST: Fields = {
    "status": {**TEXT, "description": "under-way, searchable, failed, or a Status"},
    "kind": ref("Kind"),
    "sort": {**TEXT, "enum": [*SORTS], "default": SORTS[0]},
    "per_page": {
        "type": "integer",
        "minimum": 1,
        "maximum": MAX_ASSETS_PER_PAGE,
        "default": ASSETS_PER_PAGE,
    },
    "page": {**TEXT, "description": "a number from 1, or last"},
    "after": {**TEXT, "description": "a position, as in the link next"},
    "before": {**TEXT, "description": "a position, as in the link previous"},
    "watch": {**TEXT, "description": "ids separated by commas: only these, and under_way"},
}
_LISTED = obj(
    {"assets": many(ref("Asset")), "under_way": COUNT},
    {
        "total": COUNT,
        "counts": {"type": "object", "additionalProperties": COUNT},
        "page": {"type": ["integer", "null"]},
        "per_page": COUNT,
        **dict.fromkeys(("previous", "next", "last"), _LINK),
    },
)
_DELIVERIES = obj(
    {"next": _LINK, "prev": _LINK},
    {
        "events": many(ref("Event")),
        "attempts": many(ref("Attempt")),
        "requests": many(ref("Request")),
        "error": TEXT,
    },
)
_HEALTH = obj(
    {"ok": FLAG},
    {"failing": many(TEXT), "parts": {"type": "object", "additionalProperties": TEXT}},
)

OPERATIONS: Mapping[str, dict[str, Any]] = {
    "POST /process": operation(
        "Index one URL, or many",
        {200: SUBMITTED, 201: SUBMITTED, 202: obj({"import": ref("Import"), "notes": many(TEXT)})},
        errors=(400, 422, 503),
        form=obj(
            {}, {"url": TEXT, **URLS, "links": {**TEXT, "enum": [*Links]}, "video_url": VIDEO_URL}
        ),
    ),
    "POST /check": operation(
        "Show what URLs would become",
        {200: many(ref("Checked"))},
        errors=(422, 503),
        form=obj({}, URLS),
    ),
    "GET /": operation("List things", {200: _LISTED}, errors=(400, 503), query=_LIST),
    "GET /assets/{asset_id}": operation(
        "One thing with its text and history",
        {200: obj({"asset": ref("WholeAsset")})},
        errors=(404, 503),
    ),
    "GET /assets/{asset_id}/state": operation(
        "The progress of a thing", {200: obj({"asset": ref("AssetState")})}, errors=(404, 503)
    ),
    "GET /assets/{asset_id}/transcript.{form}": operation(
        "Its text; as `form` json in JSON, as txt, srt and vtt in their own types",
        {200: ref("Transcript")},
        errors=(404, 503),
    ),
    "POST /assets/{asset_id}/retry": operation(
        "Retry the step that failed", {202: ASSET}, errors=(404, 409, 503)
    ),
    "POST /assets/{asset_id}/cancel": operation("Stop it", {202: ASSET}, errors=(404, 409, 503)),
    "POST /assets/{asset_id}/delete": operation(
        "Delete it; for a list, also what only it added, if `things` is delete",
        {200: obj({"deleted": ID})},
        errors=(400, 404, 503),
        form=obj({}, {"things": {**TEXT, "enum": ["keep", "delete"]}}),
    ),
    "POST /look-again/{asset_id}": operation(
        "Ask its server whether it has changed", {202: ASSET}, errors=(404, 409, 503)
    ),
    "POST /assets/{asset_id}/schedule": operation(
        "Choose how often its server is asked",
        {200: ASSET},
        errors=(400, 404, 409, 503),
        form=obj({"schedule": {**TEXT, "enum": [*Schedule, DEFAULT]}}),
    ),
    "POST /assets/{asset_id}/video": operation(
        "Name the video of which it is the subtitles; none, if empty",
        {200: ASSET},
        errors=(404, 422, 503),
        form=obj({"video_url": VIDEO_URL}),
    ),
    "GET /imports": operation(
        "The imports, newest first",
        {200: obj({"imports": many(ref("Import")), "next": _LINK})},
        errors=(503,),
        query={"before": {**TEXT, "description": "an import's id, as in the link next"}},
    ),
    "GET /imports/{import_id}": operation(
        "What became of each line of one",
        {
            200: obj(
                {
                    "import": ref("WholeImport"),
                    "lines": many(ref("Line")),
                    "previous": _LINK,
                    "next": _LINK,
                }
            )
        },
        errors=(400, 404, 503),
        query={"fate": {**TEXT, "enum": [*Fate]}, "after": COUNT, "before": COUNT},
    ),
    **{
        f"POST /imports/{{import_id}}/{act}": operation(
            summary, {202: IMPORT}, errors=(404, 409, 503)
        )
        for act, summary in {
            "pause": "Pause it",
            "resume": "Resume it",
            "look": "Check a list for new entries",
            "undo": "Delete what it has added",
        }.items()
    },
    "POST /imports/{import_id}/confirm": operation(
        "Index the entries of a list that asks: all, or the `first` ones",
        {202: IMPORT},
        errors=(400, 404, 409, 503),
        form=obj({}, {"first": COUNT}),
    ),
    "GET /search": operation("Search", _FOUND, errors=(404,), query=_SEARCH),
    "POST /search": operation(
        "Search for a text of up to 2,000 words, without the syntax",
        _FOUND,
        errors=(404,),
        form=obj({}, _SEARCH),
    ),
    "GET /search/sentences": operation(
        "The sentences of passages that answer, by their meaning too",
        {200: obj({"passages": many(ref("Answer"))})},
        errors=(400, 503),
        query={
            "query": TEXT,
            "passages": {**TEXT, "description": "<asset id>:<position>, separated by commas"},
        },
    ),
    "GET /search/suggestions": operation(
        "Titles for a query that is still being typed",
        {200: obj({"suggestions": many(TEXT)})},
        errors=(503,),
        query={"query": TEXT},
    ),
    "GET /gateway": operation(
        "What Hookdeck received and delivered",
        dict.fromkeys((200, 502, 503), _DELIVERIES),
        errors=(404,),
        query={
            "show": {**TEXT, "enum": [*STATUSES]},
            **dict.fromkeys(("status", "thing", "event", "request", "next", "prev"), TEXT),
        },
    ),
    "POST /gateway/events/{event_id}/retry": operation(
        "Deliver an event again", {202: DONE}, errors=(404, 502, 503)
    ),
    "POST /gateway/retry-failed": operation(
        "Deliver all that failed again", {202: DONE}, errors=(404, 502, 503)
    ),
    f"GET {HEALTH}": operation(
        "Whether every part answers; which, if one may see the pages",
        {200: _HEALTH, 503: _HEALTH},
    ),
    "GET /openapi.json": operation("This document", {200: {"type": "object"}}),
}
