"""Titles of things for what somebody has typed into the search box so far."""

from __future__ import annotations

import re

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from allthethings.assets.asset import AssetStatus
from allthethings.errors import IndexingError
from allthethings.web.services import services
from allthethings.web.view_models import shown

# Titles of one answer, and the things that are looked up for them: some have the same title.
MOST = 8
LOOKED_UP = 3 * MOST
# Words of a query that a title has to have. Of a longer query there are no suggestions.
MAX_WORDS = 8
# What is no letter or digit at the ends of a word. The index splits the rest as it splits titles:
# "don't" and "node.js" are one term each.
_EDGES = re.compile(r"^\W+|\W+$")

blueprint = Blueprint("suggestions", __name__)


@blueprint.get("/search/suggestions")
def suggest() -> ResponseReturnValue:
    """The titles of searchable things that have every word of `query`, or one that begins with
    it."""
    typed = request.args.get("query", "").split()
    words = [word for each in typed if (word := _EDGES.sub("", each))]
    if not 0 < len(words) <= MAX_WORDS:
        return jsonify(suggestions=[])
    try:
        rows = services().database.passage_index.titled(words, LOOKED_UP)
        things = services().database.assets.many({str(row["asset_id"]) for row in rows})
    except IndexingError as problem:
        return jsonify(error=str(problem)), 503
    found = [
        shown(thing)["name"]
        for row in rows
        if (thing := things.get(str(row["asset_id"])))
        if thing.status is AssetStatus.SEARCHABLE and thing.revision == row.get("revision")
    ]
    return jsonify(suggestions=list(dict.fromkeys(found))[:MOST])
