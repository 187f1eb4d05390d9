"""The sentence that answers, by its meaning too, of passages that a page of results shows."""

from __future__ import annotations

import re

from flask import Blueprint, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from allthethings.assets import locators, places
from allthethings.assets.asset import AssetStatus
from allthethings.errors import BadInput, IndexingError
from allthethings.processors import kinds
from allthethings.search.results import Hit
from allthethings.search.syntax import parse
from allthethings.store.documents import Document
from allthethings.web.result_views import passage_view, plain_passage, reading_of, thing_view
from allthethings.web.services import services
from allthethings.web.view_models import wants_json

# Passages of one request.
MOST = 20
_KEY = re.compile(r"([0-9a-f]{24}):(\d{1,9})")

blueprint = Blueprint("sentences", __name__)


@blueprint.get("/search/sentences")
def choose() -> ResponseReturnValue:
    """The passages of `passages`, <asset id>:<position> with commas between, with the sentences
    that answer `query`."""
    try:
        keys = _keys(request.args.get("passages", ""))
        query = parse(request.args.get("query", ""), {}, kinds())
        things = services().database.assets.many({asset_id for asset_id, _ in keys})
        there = [(each, things[each].revision, number) for each, number in keys if each in things]
        hits = [_hit(row) for row in services().database.passage_index.some(there)]
    except IndexingError as problem:
        return jsonify(error=str(problem)), 400 if isinstance(problem, BadInput) else 503
    rows = [
        (thing, hit)
        for hit in sorted(hits, key=lambda hit: keys.index((hit.asset_id, hit.position)))
        if (thing := things[hit.asset_id]).status is AssetStatus.SEARCHABLE
    ]
    readings = [reading_of(thing, hit, query) for thing, hit in rows]
    chosen = services().answers.best(query.text, readings)
    views = [
        passage_view(thing, hit, reading, best)
        for (thing, hit), reading, best in zip(rows, readings, chosen, strict=True)
    ]
    if wants_json():
        ids = [{"asset_id": thing.id} for thing, _ in rows]
        told = [{**named, **plain_passage(view)} for named, view in zip(ids, views, strict=True)]
        return jsonify(passages=told)
    results = [thing_view(thing) for thing, _ in rows]
    return render_template("partials/answers_found.html", found=zip(results, views, strict=True))


def _keys(text: str) -> list[tuple[str, int]]:
    """The passages of a list. Raises BadInput."""
    found = [_KEY.fullmatch(each) for each in text.split(",")]
    keys = [(match[1], int(match[2])) for match in found if match]
    if len(keys) < len(found) or len(keys) > MOST:
        raise BadInput(f"Give 1 to {MOST} passages as <asset id>:<position>, separated by commas.")
    return keys


def _hit(row: Document) -> Hit:
    return Hit(
        asset_id=str(row["asset_id"]),
        position=row["position"],
        text=row["text"],
        locator=locators.read(row["locator"]),
        score=0.0,
        similarity=None,
        places=places.read(row.get("places", ())),
    )
