"""The list of all things and what takes new ones; also as JSON for who asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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

from allthethings.asset_store import AlreadyIndexed
from allthethings.assets import FAILED, UNFINISHED, Asset, AssetStatus
from allthethings.errors import BadInput, IndexingError, ServiceUnavailable
from allthethings.health import Check, report
from allthethings.list_address import GROUPS, SORTS, ListAddress, asked_for
from allthethings.mongo import Database
from allthethings.pipeline import Pipeline
from allthethings.presentation import listed, shown, wants_json
from allthethings.processors import kinds
from allthethings.submissions import (
    MOST,
    Answer,
    Outcome,
    Submissions,
    lines_of,
    listed_in,
)

MAX_WATCHED = 100
UPLOADS = 8
"""How many times larger than another form one with a file may be: bookmarks hold pictures."""
MAX_FIELD = 300_000
"""Characters of URLs that come back in the field; no form may hold much more."""


@dataclass(frozen=True)
class Example:
    """A thing of our own to index in the first minute; `query` finds it in other words."""

    title: str
    kind: str
    about: str
    url: str
    query: str


@dataclass(frozen=True)
class Form:
    """What the form at the top shows. `urls` is the field's text; `answers` are to `done`, to
    have checked or indexed; `notes` are about the list as a whole."""

    urls: str = ""
    refused: bool = False
    answers: Sequence[Answer] = ()
    done: str = ""
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Sent:
    """The lines of a form: those typed, and those of its file."""

    lines: Sequence[str] = ()
    notes: Sequence[str] = field(default=())


def create_blueprint(
    pipeline: Pipeline,
    database: Database,
    examples: Callable[[], Sequence[Example]],
    parts: Mapping[str, Check],
) -> Blueprint:
    blueprint = Blueprint("views", __name__)
    submissions = Submissions(pipeline)

    def home(form: Form, code: int = 200) -> ResponseReturnValue:
        problem, asked = "", ListAddress()
        try:
            asked = asked_for(kinds())
        except BadInput as error:
            problem, code = str(error), 400
            if wants_json():
                return jsonify(error=problem), code
        page = database.assets.page(asked.wanted, asked.place, asked.size)
        counts = _by_status(page.tally)
        first, last = page.first, page.first + len(page.assets) - 1
        around = _around(page.assets, asked, first > 1, last < page.total)
        under_way = sum(counts[status] for status in UNFINISHED)
        if wants_json():
            return jsonify(
                assets=[listed(asset) for asset in page.assets],
                page=-(-first // asked.size),
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
            counts=counts,
            under_way=under_way,
            groups={name: sum(counts[each] for each in held) for name, held in GROUPS.items()},
            chosen=asked.chosen,
            place=asked.place,
            sorts=SORTS,
            statuses=list(AssetStatus),
            problem=problem,
            examples=examples(),
            kinds=kinds(),
            form=form,
            most=MOST,
            **around,
        ), code

    def watched(ids: str) -> ResponseReturnValue:
        """How far some things are: cheaper than the page that they are on."""
        chosen = [each for each in ids.split(",") if _is_id(each)][:MAX_WATCHED]
        things = database.assets.many(chosen)
        return jsonify(
            assets=[listed(thing) for thing in things.values()],
            under_way=database.assets.count(UNFINISHED),
        )

    @blueprint.get("/")
    def index() -> ResponseReturnValue:
        if "watch" in request.args:
            return watched(request.args["watch"])
        return home(Form(request.args.get("url", "").strip()))

    @blueprint.post("/process")
    def process() -> ResponseReturnValue:
        if not _many():
            return index_one(request.form.get("url", ""))
        return answer_many(submissions.index, "indexed")

    @blueprint.post("/check")
    def check() -> ResponseReturnValue:
        return answer_many(submissions.check, "checked")

    def index_one(url: str) -> ResponseReturnValue:
        try:
            asset = pipeline.submit(url)
        except AlreadyIndexed as error:
            return _submitted(error.asset, str(error), "info", 200)
        except IndexingError as error:
            code = 503 if isinstance(error, ServiceUnavailable) else 422
            if wants_json():
                return jsonify(error=str(error)), code
            flash(str(error), "error")
            return home(Form(url, refused=True), code)
        return _submitted(asset, f"Indexing {asset.url}", "success", 201)

    def answer_many(
        judge: Callable[[Sequence[str]], Sequence[Answer]], done: str
    ) -> ResponseReturnValue:
        sent = _sent()
        if done == "indexed" and len(sent.lines) == 1 and not sent.notes and not wants_json():
            return index_one(sent.lines[0])
        answers = judge(sent.lines)
        if wants_json():
            return jsonify([_entry(answer) for answer in answers])
        if not answers:
            flash(" ".join(sent.notes) or "Enter the URL of a thing to index.", "error")
            return home(Form(), 422)
        left = [answer.url for answer in answers if answer.outcome not in _SETTLED]
        field_text, notes = _fitting([*left, *lines_of(request.form.get("keep", ""))])
        taken = any(answer.code < 400 for answer in answers)
        form = Form(field_text, False, answers, done, [*sent.notes, *notes])
        return home(form, 200 if taken else 422)

    @blueprint.get("/healthz")
    def healthz() -> ResponseReturnValue:
        states = report(parts)
        healthy = all(state == "ok" for state in states.values())
        failing = [name for name, state in states.items() if state != "ok"]
        return jsonify(ok=healthy, parts=states, failing=failing), 200 if healthy else 503

    return blueprint


_SETTLED = {Outcome.INDEXED, Outcome.KNOWN}
"""What need not stay in the field."""


def _submitted(asset: Asset, message: str, category: str, code: int) -> ResponseReturnValue:
    if wants_json():
        return jsonify(asset=listed(asset), message=message), code
    flash(message, category)
    return redirect(url_for("views.index"), 303)


def _many() -> bool:
    """Whether the form is one for several URLs; sets how large it may be."""
    if request.mimetype == "multipart/form-data" and request.max_content_length:
        request.max_content_length *= UPLOADS
    return "urls" in request.form or "file" in request.files


def _sent() -> Sent:
    """What the form holds. A file that cannot be read is a note, and holds up nothing."""
    _many()
    lines = lines_of("\n".join(request.form.getlist("url") + request.form.getlist("urls")))
    notes = []
    for file in request.files.getlist("file"):
        try:
            listed_there = listed_in(file.read())
        except IndexingError as error:
            notes.append(str(error))
            continue
        lines += listed_there.lines
        if listed_there.left_out:
            number = listed_there.left_out
            notes.append(f"{number:,} of the bookmarks lead to no web page and were left out.")
    return Sent(lines, notes)


def _fitting(lines: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The lines as the field's text, and what to say when there are more than fit."""
    length, fitting = 0, 0
    for line in dict.fromkeys(lines):
        length += len(line) + 1
        if length > MAX_FIELD:
            break
        fitting += 1
    kept = list(dict.fromkeys(lines))
    note = f"{len(kept) - fitting:,} more URLs do not fit into the field: send them by themselves."
    return "\n".join(kept[:fitting]), [note] if fitting < len(kept) else []


def _entry(answer: Answer) -> dict[str, Any]:
    """The answer as JSON."""
    entry: dict[str, Any] = {
        "url": answer.url,
        "outcome": answer.outcome.value,
        "message": answer.message,
        "code": answer.code,
        "times": answer.times,
        "asset": listed(answer.asset) if answer.asset else None,
    }
    if answer.preview:
        entry |= {
            "kind": answer.preview.kind,
            "content_length": answer.preview.content_length,
            "title": answer.preview.title,
        }
    return entry


def _by_status(tally: Mapping[tuple[str, str], int]) -> dict[str, int]:
    counts = {status.value: 0 for status in AssetStatus}
    for (status, _kind), count in tally.items():
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
        previous = url_for("views.index", **chosen, before=assets[0].number)
    if assets and more_after and assets[-1].number is not None:
        following = url_for("views.index", **chosen, after=assets[-1].number)
    return {"previous": previous, "next": following}


def _is_id(text: str) -> bool:
    return len(text) == 24 and all(character in "0123456789abcdef" for character in text)
