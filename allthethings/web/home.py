"""The list of all things and what takes new ones; also as JSON for who asks for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

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

from allthethings.assets.asset import UNFINISHED, Asset, AssetStatus, is_asset_id
from allthethings.assets.urls import NO_URL
from allthethings.errors import BadInput, IndexingError, ServiceUnavailable
from allthethings.pipeline.imports import MAX_URLS, Answer
from allthethings.processors import kinds
from allthethings.store.asset_list import COUNT_LIMIT, AssetFilter, PageRequest
from allthethings.store.transitions import AlreadyIndexed
from allthethings.web.advice import refused
from allthethings.web.list_address import GROUPS, SORTS, ListAddress, asked_for
from allthethings.web.services import services
from allthethings.web.submission_form import (
    MAX_LINES,
    Form,
    allow_files,
    answer_as_json,
    answered,
    holds_many,
    sent,
)
from allthethings.web.view_models import listed, shown, wants_json

# Assets that one request may ask the progress of.
MAX_WATCHED = 100

blueprint = Blueprint("home", __name__)


@blueprint.get("/")
def index() -> ResponseReturnValue:
    if "watch" in request.args:
        return _watched(request.args["watch"])
    return _home(Form(request.args.get("url", "").strip()))


@blueprint.post("/process")
def process() -> ResponseReturnValue:
    allow_files()
    if holds_many():
        return _answer_many(services().imports.index, "indexed")
    return _index_one(request.form.get("url", ""))


@blueprint.post("/check")
def check() -> ResponseReturnValue:
    allow_files()
    return _answer_many(services().imports.check, "checked")


def _home(form: Form, code: int = 200) -> ResponseReturnValue:
    wrong, asked = "", ListAddress()
    try:
        asked = asked_for(kinds())
    except BadInput as error:
        wrong, code = str(error), 400
        if wants_json():
            return jsonify(error=wrong), code
    if wants_json():
        return jsonify(_list_as_json(asked)), code
    try:
        listing = _listing(asked)
    except ServiceUnavailable as error:
        if not form.urls:
            raise
        # What a person typed is worth more than a list.
        listing, wrong, code = _NO_LIST, f"{error}. Try again in a moment.", 503
    return render_template(
        "home.html",
        **listing,
        chosen=asked.chosen,
        page=asked.wanted.number,
        sorts=SORTS,
        statuses=list(AssetStatus),
        wrong=wrong,
        examples=services().examples,
        kinds=kinds(),
        form=form,
        most=MAX_URLS,
        count_limit=COUNT_LIMIT,
    ), code


def _listing(asked: ListAddress) -> dict[str, Any]:
    """The page of the list that the address asks for, and the counts beside it."""
    assets, wanted = services().database.assets, asked.wanted
    page = assets.page(wanted)
    kind, statuses = wanted.filter.kind, wanted.filter.statuses
    groups = {name: assets.count(AssetFilter(held, kind)) for name, held in GROUPS.items()}
    of_kind = min(sum(groups.values()), COUNT_LIMIT)
    counted = {GROUPS[name]: number for name, number in groups.items()} | {frozenset(): of_kind}
    return {
        "assets": [shown(asset) for asset in page.assets],
        "first": page.first,
        "total": counted[statuses] if statuses in counted else assets.count(wanted.filter),
        "of_kind": of_kind,
        "anything": bool(of_kind or (kind and assets.page(PageRequest(size=1)).assets)),
        "under_way": assets.count(AssetFilter(UNFINISHED)) if kind else groups["under-way"],
        "groups": groups,
        **asked.links(page),
    }


_NO_LIST: dict[str, Any] = {"assets": (), "total": 0, "under_way": 0, "anything": False}


def _list_as_json(asked: ListAddress) -> dict[str, Any]:
    assets, wanted = services().database.assets, asked.wanted
    page = assets.page(wanted)
    counts = {each.value: assets.count(AssetFilter(frozenset({each}))) for each in AssetStatus}
    everything = min(sum(counts.values()), COUNT_LIMIT)
    number = None if page.first is None else -(-page.first // wanted.size)
    return {
        "assets": [listed(asset) for asset in page.assets],
        "page": number,
        "per_page": wanted.size,
        "total": everything if wanted.filter == AssetFilter() else assets.count(wanted.filter),
        "under_way": min(sum(counts[each] for each in UNFINISHED), COUNT_LIMIT),
        "counts": counts,
        **asked.links(page),
    }


def _watched(ids: str) -> ResponseReturnValue:
    """How far some things are: cheaper than the page that they are on."""
    chosen = [each for each in ids.split(",") if is_asset_id(each)][:MAX_WATCHED]
    things = services().database.assets.many(chosen)
    return jsonify(
        assets=[listed(thing) for thing in things.values()],
        under_way=services().database.assets.count(AssetFilter(UNFINISHED)),
    )


def _index_one(url: str) -> ResponseReturnValue:
    try:
        asset = services().pipeline.submission.submit(url)
    except AlreadyIndexed as error:
        return _submitted(error.asset, str(error), "info", 200)
    except IndexingError as error:
        code = 503 if isinstance(error, ServiceUnavailable) else 422
        if wants_json():
            return jsonify(
                error=error.refusal, error_code=error.code, retryable=error.retryable
            ), code
        flash(refused(error), "error")
        return _home(Form(url, refused=True), code)
    return _submitted(asset, f"Indexing {asset.url}", "success", 201)


def _answer_many(
    judge: Callable[[Sequence[str]], Sequence[Answer]], done: str
) -> ResponseReturnValue:
    what = sent()
    if what.too_many and wants_json():
        return jsonify(error=f"One form takes at most {MAX_LINES:,} lines."), 422
    if what.alone and done == "indexed" and not wants_json():
        return _index_one(what.lines[0])
    answers = judge(what.lines)
    if not answers:
        problem = " ".join(what.notes) or NO_URL
        if wants_json():
            return jsonify(error=problem), 422
        flash(problem, "error")
        return _home(Form("\n".join(what.kept)), 422)
    if wants_json():
        return jsonify([answer_as_json(answer) for answer in answers])
    form = answered(answers, done, what)
    return _home(form, 200 if any(answer.code < 400 for answer in answers) else 422)


def _submitted(asset: Asset, message: str, category: str, code: int) -> ResponseReturnValue:
    if wants_json():
        return jsonify(asset=listed(asset), message=message), code
    flash(message, category)
    return redirect(url_for("home.index"), 303)
