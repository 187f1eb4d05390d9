"""The pages, and the same as JSON for who asks for `application/json`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import (
    Blueprint,
    abort,
    flash,
    jsonify,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue

from allthethings.asset_store import AlreadyIndexed
from allthethings.assets import UNFINISHED, Asset, AssetStatus
from allthethings.errors import BadInput, IndexingError, ServiceUnavailable
from allthethings.health import Check, report
from allthethings.mongo import Database
from allthethings.pipeline import Pipeline
from allthethings.processors import kind_of, kinds
from allthethings.search import Result, Search

PER_PAGE = 20
MAX_PER_PAGE = 200
MAX_PAGE = 100_000


@dataclass(frozen=True)
class Example:
    """A thing of our own to index in the first minute; `query` finds it in other words."""

    title: str
    kind: str
    about: str
    url: str
    query: str


def create_blueprint(
    pipeline: Pipeline,
    search: Search,
    database: Database,
    examples: Callable[[], Sequence[Example]],
    parts: Mapping[str, Check],
) -> Blueprint:
    blueprint = Blueprint("views", __name__)

    def home(url: str = "", code: int = 200) -> ResponseReturnValue:
        page = _number("page", 1, MAX_PAGE)
        per_page = _number("per_page", PER_PAGE, MAX_PER_PAGE)
        assets, total = database.assets.page(page, per_page)
        if _wants_json():
            return jsonify(
                assets=[_listed(asset) for asset in assets],
                page=page,
                per_page=per_page,
                total=total,
                under_way=database.assets.count(UNFINISHED),
            )
        return render_template(
            "home.html",
            assets=[_shown(asset) for asset in assets],
            page=page,
            per_page=per_page,
            pages=max(1, -(-total // per_page)),
            total=total,
            under_way=database.assets.count(UNFINISHED),
            examples=examples(),
            kinds=kinds(),
            url=url,
        ), code

    @blueprint.get("/")
    def index() -> ResponseReturnValue:
        return home()

    @blueprint.post("/process")
    def process() -> ResponseReturnValue:
        url = request.form.get("url", "")
        try:
            asset = pipeline.submit(url)
        except AlreadyIndexed as error:
            return _submitted(error.asset, str(error), "info", 200)
        except IndexingError as error:
            code = 503 if isinstance(error, ServiceUnavailable) else 422
            if _wants_json():
                return jsonify(error=str(error)), code
            flash(str(error), "error")
            return home(url, code)
        return _submitted(asset, f"Indexing {asset.url}", "success", 201)

    @blueprint.get("/search")
    def find() -> ResponseReturnValue:
        query = request.args.get("query", "").strip()
        results: list[Result] | None = None
        error, code, began = "", 200, time.perf_counter()
        if query:
            try:
                results = search.search(query)
            except IndexingError as problem:
                error, code = str(problem), 400 if isinstance(problem, BadInput) else 503
        took_ms = round((time.perf_counter() - began) * 1000)
        found = [_result(result) for result in results or ()]
        if _wants_json():
            answer: dict[str, Any] = {"query": query, "results": found, "took_ms": took_ms}
            return jsonify({**answer, "error": error} if error else answer), code
        if error:
            flash(error, "error")
        return render_template(
            "search.html",
            query=query,
            results=found if results is not None else None,
            under_way=database.assets.count(UNFINISHED),
            total_searchable=database.assets.count({AssetStatus.SEARCHABLE}),
            took_ms=took_ms,
        ), code

    @blueprint.get("/assets/<asset_id>")
    def asset(asset_id: str) -> ResponseReturnValue:
        thing = database.assets.get(asset_id)
        if thing is None:
            abort(404, "There is no such thing, or there is none any more.")
        rows = database.passages.of(thing.id)
        progress = {"embedded": sum(row["embedded"] for row in rows), "total": len(rows)}
        if _wants_json():
            return jsonify(
                asset={
                    **_listed(thing),
                    "text": thing.text,
                    "history": [_entry(entry) for entry in thing.history],
                    "progress": progress,
                }
            )
        return render_template(
            "asset.html", asset={**_shown(thing), "passages": rows, "progress": progress}
        )

    @blueprint.post("/assets/<asset_id>/retry")
    def retry(asset_id: str) -> ResponseReturnValue:
        try:
            thing = pipeline.retry(asset_id)
        except BadInput as error:
            if _wants_json():
                return jsonify(error=str(error)), 409
            flash(str(error), "error")
            return redirect(url_for("views.asset", asset_id=asset_id), 303)
        if _wants_json():
            return jsonify(asset=_listed(thing)), 202
        flash("It is tried again.", "success")
        return redirect(url_for("views.asset", asset_id=asset_id), 303)

    @blueprint.post("/assets/<asset_id>/delete")
    def delete(asset_id: str) -> ResponseReturnValue:
        pipeline.delete(asset_id)
        if _wants_json():
            return jsonify(deleted=asset_id)
        flash("The thing was deleted.", "success")
        return redirect(url_for("views.index"), 303)

    @blueprint.get("/healthz")
    def healthz() -> ResponseReturnValue:
        states = report(parts)
        healthy = all(state == "ok" for state in states.values())
        failing = [name for name, state in states.items() if state != "ok"]
        return jsonify(ok=healthy, parts=states, failing=failing), 200 if healthy else 503

    return blueprint


def _wants_json() -> bool:
    best = request.accept_mimetypes.best_match(["text/html", "application/json"], "text/html")
    return best == "application/json"


def _number(name: str, default: int, largest: int) -> int:
    """A whole number of the query string, brought between 1 and `largest`."""
    value = request.args.get(name, "")
    number = int(value) if value.isascii() and value.isdigit() and len(value) < 10 else default
    return min(max(1, number), largest)


def _submitted(asset: Asset, message: str, category: str, code: int) -> ResponseReturnValue:
    if _wants_json():
        return jsonify(asset=_listed(asset), message=message), code
    flash(message, category)
    return redirect(url_for("views.index"), 303)


def _listed(asset: Asset) -> dict[str, Any]:
    return {
        "id": asset.id,
        "url": asset.url,
        "title": asset.title,
        "content_type": asset.content_type,
        "content_length": asset.content_length,
        "status": asset.status.value,
        "error": asset.error,
        "created_at": asset.created_at.isoformat(),
        "updated_at": asset.updated_at.isoformat(),
    }


def _shown(asset: Asset) -> dict[str, Any]:
    parts = urlsplit(asset.url)
    last_part = parts.path.rstrip("/").rpartition("/")[2]
    return {
        **_listed(asset),
        "created_at": asset.created_at,
        "updated_at": asset.updated_at,
        "host": parts.netloc,
        "name": asset.title or last_part or parts.netloc,
        "kind": kind_of(asset.content_type),
        "finished": asset.finished,
        "failed": asset.failed,
        "text": asset.text,
        "history": list(asset.history),
    }


def _entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {**entry, "at": entry["at"].isoformat()}


def _result(result: Result) -> dict[str, Any]:
    shown = _shown(result.asset)
    return {
        "asset_id": shown["id"],
        "url": shown["url"],
        "title": shown["title"] or shown["name"],
        "content_type": shown["content_type"],
        "kind": shown["kind"],
        "host": shown["host"],
        "score": result.score,
        "passages": [
            {"text": hit.text, "score": hit.score, "locator": dict(hit.locator)}
            for hit in result.passages
        ],
    }
