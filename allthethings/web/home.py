"""The list of all things and what takes new ones; also as JSON for who asks for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
from allthethings.store.assets import AlreadyIndexed, Page
from allthethings.store.tallies import Tally
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
        return _answer_many(services().submissions.index, "indexed")
    return _index_one(request.form.get("url", ""))


@blueprint.post("/check")
def check() -> ResponseReturnValue:
    allow_files()
    return _answer_many(services().submissions.check, "checked")


def _home(form: Form, code: int = 200) -> ResponseReturnValue:
    wrong, asked = "", ListAddress()
    try:
        asked = asked_for(kinds())
    except BadInput as error:
        wrong, code = str(error), 400
        if wants_json():
            return jsonify(error=wrong), code
    try:
        page = services().database.assets.page(asked.wanted, asked.place, asked.size)
    except ServiceUnavailable as error:
        if wants_json() or not form.urls:
            raise
        # What a person typed is worth more than a list.
        page, wrong, code = Page([], 1, 0, Tally()), f"{error}. Try again in a moment.", 503
    counts = _by_status(page.tally)
    of_kind = _by_status(page.tally, asked.wanted.kind)
    first, last = page.first, page.first + len(page.assets) - 1
    around = _around(page.assets, asked, first > 1, last < page.total)
    under_way = sum(counts[status] for status in UNFINISHED)
    if wants_json():
        return jsonify(
            assets=[listed(asset) for asset in page.assets],
            page=-(-first // asked.size) if page.assets else asked.place.page,
            per_page=asked.size,
            total=page.total,
            under_way=under_way,
            counts=counts,
            **around,
        )
    return render_template(
        "home.html",
        assets=[shown(asset) for asset in page.assets],
        first=first,
        last=last,
        total=page.total,
        everything=sum(counts.values()),
        of_kind=sum(of_kind.values()),
        under_way=under_way,
        groups={name: sum(of_kind[each] for each in held) for name, held in GROUPS.items()},
        chosen=asked.chosen,
        place=asked.place,
        sorts=SORTS,
        statuses=list(AssetStatus),
        wrong=wrong,
        examples=services().examples,
        kinds=kinds(),
        form=form,
        most=MAX_URLS,
        **around,
    ), code


def _watched(ids: str) -> ResponseReturnValue:
    """How far some things are: cheaper than the page that they are on."""
    chosen = [each for each in ids.split(",") if is_asset_id(each)][:MAX_WATCHED]
    things = services().database.assets.many(chosen)
    return jsonify(
        assets=[listed(thing) for thing in things.values()],
        under_way=services().database.assets.count(UNFINISHED)[0],
    )


def _index_one(url: str) -> ResponseReturnValue:
    try:
        asset = services().pipeline.submit(url)
    except AlreadyIndexed as error:
        return _submitted(error.asset, str(error), "info", 200)
    except IndexingError as error:
        code = 503 if isinstance(error, ServiceUnavailable) else 422
        if wants_json():
            return jsonify(error=str(error)), code
        flash(str(error), "error")
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


def _by_status(tally: Tally, kind: str | None = None) -> dict[str, int]:
    """How many there are of each status, of a kind or of all."""
    counts = {status.value: 0 for status in AssetStatus}
    for (status, its_kind), count in tally.items():
        if kind in (its_kind, None):
            counts[status] += count
    return counts


def _around(
    assets: Sequence[Asset], asked: ListAddress, more_before: bool, more_after: bool
) -> dict[str, str | None]:
    """The addresses of the pages before and after this one. They name the thing at the edge, so
    that what comes and goes in the meantime shifts nothing."""
    chosen = dict(asked.chosen)
    previous = following = None
    if assets and more_before and assets[0].number is not None:
        previous = url_for("home.index", **chosen, before=assets[0].number)
    if assets and more_after and assets[-1].number is not None:
        following = url_for("home.index", **chosen, after=assets[-1].number)
    return {"previous": previous, "next": following}
