"""The search page, and the same as JSON for who asks for `application/json`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, flash, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from allthethings.assets.asset import UNFINISHED, AssetStatus
from allthethings.errors import BadInput, IndexingError, NoSuchAsset
from allthethings.processors import kinds
from allthethings.search.results import Found, Hit, Result
from allthethings.search.search import LAST_PAGE, RESULTS_PER_PAGE
from allthethings.search.syntax import FIELDS, FILTERS, Query, parse
from allthethings.store.asset_list import AssetFilter
from allthethings.web.services import services
from allthethings.web.view_models import number_of, shown, wants_json

# What a result has for the template and not for JSON.
ONLY_ON_THE_PAGE = ("mark", "player", "play_from")

blueprint = Blueprint("search", __name__)


@blueprint.route("/search", methods=["GET", "POST"])
def find() -> ResponseReturnValue:
    given = {name: request.values.get(name, "").strip() for name in ("query", "like", *FIELDS)}
    page, found, error, code = number_of("page", 1, LAST_PAGE), None, "", 200
    began = time.perf_counter()
    try:
        found = _search(given, page)
    except NoSuchAsset:  # a page of its own
        raise
    except IndexingError as problem:
        error, code = str(problem), 400 if isinstance(problem, BadInput) else 503
    took_ms = round((time.perf_counter() - began) * 1000)
    assets = services().database.assets
    told: dict[str, Any] = {
        "results": [_result(result) for result in found.results] if found else [],
        "page": page,
        "more": bool(found and found.more and page < LAST_PAGE),
        "under_way": assets.count(AssetFilter(UNFINISHED)),
        "took_ms": took_ms,
    }
    if wants_json():
        return _as_json(given, found, told, error), code
    if error:
        flash(error, "error")
    return render_template(
        "search.html",
        given=given,
        found=found,
        about=shown(found.about) if found and found.about else None,
        first=(page - 1) * RESULTS_PER_PAGE + 1,
        kinds=kinds(),
        filters=FILTERS,
        filtered=any(given[name] for name in FIELDS),
        total_searchable=len(told["results"])
        or assets.count(AssetFilter(frozenset({AssetStatus.SEARCHABLE}))),
        **told,
    ), code


def _search(given: Mapping[str, str], page: int) -> Found | None:
    """What was found; None if nothing was asked. Raises BadInput, NoSuchAsset,
    ServiceUnavailable."""
    # POST is for texts that are too long for a URL: in those a quotation is no exact phrase.
    plain = request.method == "POST"
    query = parse("" if plain else given["query"], given, kinds())
    if plain:
        query = replace(query, text=" ".join(given["query"].split()))
    if given["like"]:
        return _like(given["like"], query, page)
    return services().search.search(query, page) if given["query"] else None


def _as_json(
    given: Mapping[str, str], found: Found | None, told: Mapping[str, Any], error: str
) -> Response:
    answer = {
        **{name: value for name, value in given.items() if value or name == "query"},
        **told,
        "results": [_plain(result) for result in told["results"]],
        "close": bool(found and found.close),
        "words_alone": bool(found and found.words_alone),
        "away": found.away if found else None,
    }
    return jsonify({**answer, "error": error} if error else answer)


def _like(like: str, query: Query, page: int) -> Found:
    """`like` is an asset's id, or that and a passage's position: <id>:<position>."""
    asset_id, _, position = like.partition(":")
    whole = position.isascii() and position.isdigit() and len(position) < 10
    number = int(position) if whole else None
    return services().search.like(asset_id, number, replace(query, text=""), page)


def _plain(result: Mapping[str, Any]) -> dict[str, Any]:
    passages = [{**each, "locator": each["locator"].stored()} for each in result["passages"]]
    told = {name: value for name, value in result.items() if name not in ONLY_ON_THE_PAGE}
    return {**told, "passages": passages}


def _result(result: Result) -> dict[str, Any]:
    """A result as the template wants it."""
    seen: Mapping[str, Any] = shown(result.asset)
    return {
        "asset_id": seen["id"],
        "url": seen["url"],
        "title": seen["title"] or seen["name"],
        "content_type": seen["content_type"],
        "kind": seen["kind"],
        "mark": seen["mark"],
        "player": seen["player"],
        "play_from": seen["play_from"],
        "host": seen["host"],
        "added": result.asset.created_at.isoformat(),
        "content_length": seen["content_length"],
        "score": result.score,
        "similarity": result.similarity,
        "matched": result.matched,
        "strength": result.strength,
        "passages": [_passage(seen["url"], hit) for hit in result.passages],
    }


def _passage(url: str, hit: Hit) -> dict[str, Any]:
    return {
        "position": hit.position,
        "text": hit.text,
        "parts": hit.parts,
        "score": hit.score,
        "similarity": hit.similarity,
        "locator": hit.locator,
        "link": hit.locator.link(url, hit.text),
    }
