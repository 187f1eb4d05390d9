"""Atom feeds of new assets and of searches, the OpenSearch description, and the bookmarklet."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, render_template, request, url_for

from allthethings.assets.asset import Asset
from allthethings.errors import BadInput
from allthethings.processors import kinds
from allthethings.search.results import Result
from allthethings.search.syntax import FIELDS, Query, parse
from allthethings.web.atom import (
    ATOM_TYPE,
    NAME,
    OPENSEARCH_TYPE,
    Entry,
    Feed,
    atom,
    opensearch,
)
from allthethings.web.security import is_web_url
from allthethings.web.services import services
from allthethings.web.view_models import base_of, shown

# Entries of the feed of new assets.
NEWEST = 50
# Pages of results that the feed of a search looks through.
SEARCHED = 3
# Parameters that the search page and its feed share.
PARAMETERS = ("query", *FIELDS)


blueprint = Blueprint("feeds", __name__)


@blueprint.get("/feed.atom")
def newest() -> Response:
    assets = services().database.assets.newest_searchable(NEWEST)
    openings = services().database.passages.openings({each.id: each.revision for each in assets})
    entries = [_entry(asset, openings.get(asset.id, "")) for asset in assets]
    return _feed(Feed(NAME, _absolute("feeds.newest"), _absolute("home.index"), entries))


@blueprint.get("/search.atom")
def of_search() -> Response:
    given = {name: request.args.get(name, "").strip() for name in PARAMETERS}
    if not given["query"]:
        raise BadInput("The parameter query is missing: what to look for.")
    matches = _matches(parse(given["query"], given, kinds()))
    newest_first = sorted(matches.values(), key=_became_searchable, reverse=True)
    entries = [_entry(one.asset, one.passages[0].text) for one in newest_first]
    asked = {name: value for name, value in given.items() if value}
    title = f"{given['query']} - {NAME}"
    own, page = _absolute("feeds.of_search", **asked), _absolute("search.find", **asked)
    return _feed(Feed(title, own, page, entries))


@blueprint.get("/opensearch.xml")
def description() -> Response:
    def template(endpoint: str) -> str:
        return f"{_absolute(endpoint)}?query={{searchTerms}}"

    pages = {"text/html": template("search.find"), ATOM_TYPE: template("feeds.of_search")}
    icon = _absolute("static", filename="mark.svg")
    address = _absolute("feeds.description")
    return _xml(opensearch(base_of(services().app_url), pages, icon, address), OPENSEARCH_TYPE)


@blueprint.get("/tools")
def tools() -> str:
    return render_template("tools.html", bookmarklet=bookmarklet(_absolute("home.index")))


@blueprint.app_context_processor
def tell_templates() -> dict[str, object]:
    return {"feed_of_search": _feed_of_search}


def _absolute(endpoint: str, **values: Any) -> str:
    return base_of(services().app_url) + url_for(endpoint, **values)


def _entry(asset: Asset, summary: str) -> Entry:
    seen = shown(asset)
    return Entry(
        asset_id=asset.id,
        title=seen["name"],
        page=_absolute("assets.show", asset_id=asset.id),
        original=asset.url if is_web_url(asset.url) else "",
        content_type=asset.content_type,
        kind=seen["kind"],
        published=asset.created_at,
        updated=asset.updated_at,
        summary=summary,
    )


def _matches(query: Query) -> dict[str, Result]:
    """The best results by asset id, up to the first that does not match."""
    matches: dict[str, Result] = {}
    for page in range(1, SEARCHED + 1):
        found = services().search.search(query, page)
        close = [result for result in found.results if result.strength != "none"]
        matches |= {result.asset.id: result for result in close}
        if len(close) < len(found.results) or not found.more:
            break
    return matches


def _became_searchable(result: Result) -> tuple[datetime, str]:
    return result.asset.updated_at, result.asset.id


def bookmarklet(home: str) -> str:
    """A bookmark that opens the form with the URL of the current page filled in."""
    code = f"location.href={json.dumps(f'{home}?url=')}+encodeURIComponent(location.href)"
    return "javascript:" + quote(f"(()=>{{{code}}})()", safe="()=>.+/:?,;{}'")


def _feed_of_search() -> str:
    """The URL of the feed for the search on this page; empty if there is none."""
    if request.endpoint != "search.find" or request.method != "GET":
        return ""
    given: dict[str, Any] = {name: request.args.get(name, "").strip() for name in PARAMETERS}
    if not given["query"] or request.args.get("like"):
        return ""
    return url_for("feeds.of_search", **{name: value for name, value in given.items() if value})


def _feed(feed: Feed) -> Response:
    response = _xml(atom(feed), ATOM_TYPE)
    if feed.entries:
        response.last_modified = feed.updated
    return response.make_conditional(request)  # type: ignore[return-value]


def _xml(body: bytes, kind: str) -> Response:
    response = Response(body, content_type=f"{kind}; charset=utf-8")
    # A reader may keep its own copy, but has to ask whether it is still valid.
    response.headers["Cache-Control"] = "private, no-cache"
    response.add_etag()
    return response
