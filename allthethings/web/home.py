"""The list of all things and what takes new ones; also as JSON for who asks for it."""

from __future__ import annotations

from collections.abc import Iterable
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
from allthethings.pipeline.checks import MAX_URLS
from allthethings.pipeline.imports import MAX_LINES
from allthethings.processors import kind_of, kinds
from allthethings.processors.lists import ListProcessor
from allthethings.store.asset_list import COUNT_LIMIT, AssetFilter, PageRequest
from allthethings.store.insertions import AlreadyIndexed
from allthethings.web.advice import refused
from allthethings.web.imports import accepted
from allthethings.web.list_address import GROUPS, SORTS, ListAddress, asked_for
from allthethings.web.services import services
from allthethings.web.submission_form import (
    Form,
    Sent,
    allow_lists,
    answer_as_json,
    answered,
    asked_links,
    asked_video,
    holds_many,
    sent,
    unsent,
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
    allow_lists()
    if not holds_many():
        return _index_one(request.form.get("url", ""))
    what = sent()
    if what.alone and not wants_json():
        return _index_one(what.lines[0])
    if request.form.get("links"):
        return _refused(what, BadInput("To index links, enter one page at a time."))
    if asked_video():
        return _refused(what, BadInput("To name a video, enter one subtitle file at a time."))
    return _import(what)


@blueprint.post("/check")
def check() -> ResponseReturnValue:
    allow_lists()
    what = sent()
    answers = services().checks.check(what.lines)
    if not answers:
        return _nothing_sent(what)
    if wants_json():
        return jsonify([answer_as_json(answer) for answer in answers])
    return _home(answered(answers, what), 200 if any(each.code < 400 for each in answers) else 422)


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
        most_lines=MAX_LINES,
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
        "own": of_kind > len(services().examples) or not _are_examples(page.assets),
        "anything": bool(of_kind or (kind and assets.page(PageRequest(size=1)).assets)),
        "under_way": assets.count(AssetFilter(UNFINISHED)) if kind else groups["under-way"],
        "groups": groups,
        **asked.links(page),
    }


def _are_examples(assets: Iterable[Asset]) -> bool:
    """Whether all of these are examples, and none a person's own thing."""
    urls = {example.url for example in services().examples}
    return all(asset.url in urls for asset in assets)


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
        asset = services().pipeline.submission.submit(url, asked_links(), asked_video())
    except AlreadyIndexed as error:
        return _submitted(error.asset, str(error), "info", 200)
    except IndexingError as error:
        code = 503 if isinstance(error, ServiceUnavailable) else 422
        if wants_json():
            return jsonify(
                error=error.refusal, error_code=error.code, retryable=error.retryable
            ), code
        flash(refused(error), "error")
        return _home(Form(url, refused=True, links=request.form.get("links", "")), code)
    return _submitted(asset, f"Indexing {asset.url}", "success", 201)


def _import(what: Sent) -> ResponseReturnValue:
    """Take a list: its lines are kept before this answers, and looked at afterwards."""
    if not what.lines:
        return _nothing_sent(what)
    try:
        made = services().imports.take(what.lines, what.notes)
    except IndexingError as error:
        return _refused(what, error)
    if what.kept and not wants_json():
        return _home(unsent(what, what.notes, made.id), 202)
    return accepted(made)


def _refused(what: Sent, error: IndexingError) -> ResponseReturnValue:
    code = 503 if isinstance(error, ServiceUnavailable) else 422
    if wants_json():
        return jsonify(error=error.refusal, error_code=error.code), code
    flash(refused(error), "error")
    return _home(unsent(Sent((), [*what.lines, *what.kept]), what.notes), code)


def _nothing_sent(what: Sent) -> ResponseReturnValue:
    problem = " ".join(what.notes) or NO_URL
    if wants_json():
        return jsonify(error=problem), 422
    flash(problem, "error")
    return _home(unsent(what), 422)


def _submitted(asset: Asset, message: str, category: str, code: int) -> ResponseReturnValue:
    if wants_json():
        return jsonify(asset=listed(asset), message=message), code
    flash(message, category)
    if kind_of(asset.content_type) == ListProcessor.kind:  # it may ask a question there
        return redirect(url_for("assets.show", asset_id=asset.id), 303)
    return redirect(url_for("home.index"), 303)
