"""The list of all things and what takes new ones; also as JSON for who asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from flask import (
    Blueprint,
    flash,
    jsonify,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue

from allthethings.asset_store import AlreadyIndexed
from allthethings.assets import UNFINISHED, Asset
from allthethings.errors import IndexingError, ServiceUnavailable
from allthethings.health import Check, report
from allthethings.mongo import Database
from allthethings.pipeline import Pipeline
from allthethings.presentation import listed, number_of, shown, wants_json
from allthethings.processors import kinds

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
    database: Database,
    examples: Callable[[], Sequence[Example]],
    parts: Mapping[str, Check],
) -> Blueprint:
    blueprint = Blueprint("views", __name__)

    def home(url: str = "", code: int = 200) -> ResponseReturnValue:
        page = number_of("page", 1, MAX_PAGE)
        per_page = number_of("per_page", PER_PAGE, MAX_PER_PAGE)
        assets, total = database.assets.page(page, per_page)
        if wants_json():
            return jsonify(
                assets=[listed(asset) for asset in assets],
                page=page,
                per_page=per_page,
                total=total,
                under_way=database.assets.count(UNFINISHED),
            )
        return render_template(
            "home.html",
            assets=[shown(asset) for asset in assets],
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
            if wants_json():
                return jsonify(error=str(error)), code
            flash(str(error), "error")
            return home(url, code)
        return _submitted(asset, f"Indexing {asset.url}", "success", 201)

    @blueprint.get("/healthz")
    def healthz() -> ResponseReturnValue:
        states = report(parts)
        healthy = all(state == "ok" for state in states.values())
        failing = [name for name, state in states.items() if state != "ok"]
        return jsonify(ok=healthy, parts=states, failing=failing), 200 if healthy else 503

    return blueprint


def _submitted(asset: Asset, message: str, category: str, code: int) -> ResponseReturnValue:
    if wants_json():
        return jsonify(asset=listed(asset), message=message), code
    flash(message, category)
    return redirect(url_for("views.index"), 303)
