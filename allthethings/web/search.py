"""The search page, and the same as JSON for who asks for `application/json`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import compress
from typing import Any

from flask import Blueprint, Response, flash, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from allthethings.assets.asset import UNFINISHED, AssetStatus
from allthethings.errors import BadInput, IndexingError, NoSuchAsset
from allthethings.processors import kinds
from allthethings.search.results import Facets, Found
from allthethings.search.search import LAST_PAGE, RESULTS_PER_PAGE
from allthethings.search.spelling import corrected
from allthethings.search.syntax import FIELDS, FILTERS, Query, parse
from allthethings.store.asset_list import AssetFilter
from allthethings.web.filters import active, narrower, plain_facets
from allthethings.web.result_views import plain_result, result_view
from allthethings.web.services import services
from allthethings.web.view_models import asked_of_search, number_of, shown, wants_json

blueprint = Blueprint("search", __name__)


@blueprint.route("/search", methods=["GET", "POST"])
def find() -> ResponseReturnValue:
    given = {name: request.values.get(name, "").strip() for name in ("query", "like", *FIELDS)}
    page, query, error, code = number_of("page", 1, LAST_PAGE), Query(""), "", 200
    found: Found | None = None
    began = time.perf_counter()
    try:
        query = _query(given)
        found = _search(given, query, page)
    except NoSuchAsset:  # a page of its own
        raise
    except IndexingError as problem:
        error, code = str(problem), 400 if isinstance(problem, BadInput) else 503
    took_ms = round((time.perf_counter() - began) * 1000)
    told: dict[str, Any] = {
        "results": [result_view(result, query) for result in found.results] if found else [],
        "page": page,
        "more": bool(found and found.more and page < LAST_PAGE),
        "did_you_mean": _meant(given["query"], found),
        "under_way": services().database.assets.count(AssetFilter(UNFINISHED)),
        "took_ms": took_ms,
    }
    if wants_json():
        return _as_json(given, found, told, error), code
    if error:
        flash(error, "error")
    return _as_page(given, found, told), code


def _query(given: Mapping[str, str]) -> Query:
    """What is asked for. Raises BadInput."""
    # POST is for texts that are too long for a URL: in those a quotation is no exact phrase.
    plain = request.method == "POST"
    query = parse("" if plain else given["query"], given, kinds())
    return replace(query, text=" ".join(given["query"].split())) if plain else query


def _search(given: Mapping[str, str], query: Query, page: int) -> Found | None:
    """What was found; None if nothing was asked. Raises BadInput, NoSuchAsset,
    ServiceUnavailable."""
    if given["like"]:
        return _like(given["like"], query, page)
    return services().search.search(query, page) if given["query"] else None


def _meant(text: str, found: Found | None) -> str | None:
    """The query with words that are held in the places of those that nothing holds, if it has
    such words."""
    return corrected(text, found.corrections) if found and found.corrections else None


def _as_page(given: Mapping[str, str], found: Found | None, told: Mapping[str, Any]) -> str:
    assets = services().database.assets
    facets = found.facets if found else Facets()
    # The filters of a pasted text have no address.
    linked = request.method == "GET"
    return render_template(
        "search.html",
        given=given,
        found=found,
        by_meaning=services().answers.by_meaning and linked,
        asked_of_search=asked_of_search(),
        about=shown(found.about) if found and found.about else None,
        first=(told["page"] - 1) * RESULTS_PER_PAGE + 1,
        kinds=kinds(),
        filters=FILTERS,
        filtered=any(given[name] for name in FIELDS),
        active=active(given) if linked else [],
        narrower=narrower(given, facets) if linked else [],
        counted=facets.things,
        **_parted(told["results"]),
        total_searchable=len(told["results"])
        or assets.count(AssetFilter(frozenset({AssetStatus.SEARCHABLE}))),
        **told,
    )


def _parted(results: Sequence[Mapping[str, Any]]) -> dict[str, Sequence[Mapping[str, Any]]]:
    """The results to show at once, and the `far` ones to fold away: those that match nothing, but
    for the ones that stand before the first match, since their scores are better."""
    matched = [each["strength"] != "none" for each in results]
    first = matched.index(True) if any(matched) else len(results)
    near = [number < first or found for number, found in enumerate(matched)]
    rest = [not each for each in near]
    return {"near": [*compress(results, near)], "far": [*compress(results, rest)]}


def _as_json(
    given: Mapping[str, str], found: Found | None, told: Mapping[str, Any], error: str
) -> Response:
    answer = {
        **{name: value for name, value in given.items() if value or name == "query"},
        **told,
        "results": [plain_result(result) for result in told["results"]],
        "close": bool(found and found.close),
        "words_alone": bool(found and found.words_alone),
        "meaning_alone": bool(found and found.meaning_alone),
        "away": found.away if found else None,
        "reranked": found.reranked if found else None,
        "facets": plain_facets(found.facets if found else Facets()),
    }
    return jsonify({**answer, "error": error} if error else answer)


def _like(like: str, query: Query, page: int) -> Found:
    """`like` is an asset's id, or that and a passage's position: <id>:<position>."""
    asset_id, _, position = like.partition(":")
    whole = position.isascii() and position.isdigit() and len(position) < 10
    number = int(position) if whole else None
    return services().search.like(asset_id, number, replace(query, text=""), page)
