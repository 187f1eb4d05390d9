"""A thing's page and what can be done with it; also as JSON for who asks for `application/json`."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from flask import (
    Blueprint,
    Response,
    abort,
    flash,
    jsonify,
    redirect,
    render_template,
    request,
    send_file,
    url_for,
)
from flask.typing import ResponseReturnValue

from allthethings.assets import transcripts
from allthethings.assets.asset import Asset, AssetStatus
from allthethings.assets.transcripts import Group, Line
from allthethings.errors import BadInput, NoSuchAsset, ServiceUnavailable
from allthethings.hookdeck.records import Watched
from allthethings.store.documents import now
from allthethings.web.imports import entries
from allthethings.web.lists import acts, list_import, parents_of, problems_of
from allthethings.web.looks import changes_as_json, shown_looks
from allthethings.web.services import services
from allthethings.web.status_text import standing
from allthethings.web.text_view import sections_of, view_of
from allthethings.web.timeline import build
from allthethings.web.videos import video_fields
from allthethings.web.view_models import asked_of_search, entry_of, listed, shown, wants_json

Rows = Sequence[Mapping[str, Any]]

MEDIA_TYPES = {
    "txt": "text/plain",
    "srt": "application/x-subrip; charset=utf-8",
    "vtt": "text/vtt",
    "json": "application/json",
}
TIMED: Mapping[str, Callable[[Sequence[Line]], str]] = {
    "srt": transcripts.srt,
    "vtt": transcripts.vtt,
}

# How long after a thing became searchable the index may not have it yet.
INDEX_DELAY = timedelta(minutes=1)

blueprint = Blueprint("assets", __name__)


@blueprint.get("/assets/<asset_id>")
def show(asset_id: str) -> ResponseReturnValue:
    thing = _found(services().database.assets.get(asset_id))
    if wants_json():
        history = [entry_of(entry) for entry in thing.history]
        told = {"text": thing.text, "history": history, "changes": changes_as_json(thing)}
        told |= _of_replicate(thing)
        return jsonify(asset={**listed(thing), **told, **_state(thing)})
    rows = services().database.passages.of(thing.id, thing.revision)
    lines = _timed_lines(thing, rows)
    has_text = bool(rows) and thing.text is not None
    gateway = services().gateway
    deliveries = gateway.watch(thing.id) if gateway else Watched()
    return render_template(
        "asset.html",
        asset={**shown(thing), **_state(thing, rows), **video_fields(thing)},
        view=view_of(thing, rows, _grouped(lines, rows) if lines else (), **_place_asked_for()),
        kept=asked_of_search(),
        forms=[form for form in MEDIA_TYPES if has_text and (lines or form not in TIMED)],
        hops=build(thing, rows, deliveries),
        parents=parents_of(thing),
        **_as_list(thing),
        trouble=deliveries.trouble,
        looks=shown_looks(thing),
        records=_records(thing),
        in_index=not rows or _in_index(thing),
    )


@blueprint.get("/assets/<asset_id>/state")
def look(asset_id: str) -> ResponseReturnValue:
    """What changes while it is under way; small, for who asks again and again."""
    thing = _found(services().database.assets.state(asset_id))
    made = services().database.revisions.of_thing(thing.id) is not None
    return jsonify(asset={**listed(thing), **_state(thing), "being_made": made})


@blueprint.get("/assets/<asset_id>/transcript.<form>")
def transcript(asset_id: str, form: str) -> ResponseReturnValue:
    thing = _found(services().database.assets.get(asset_id))
    if form not in MEDIA_TYPES:
        abort(404, f"Transcripts come as {', '.join(MEDIA_TYPES)}, not as {form[:20]}.")
    rows = services().database.passages.of(thing.id, thing.revision)
    if not rows or thing.text is None:
        abort(404, "It has no text yet.")
    lines = _timed_lines(thing, rows)
    if form in TIMED and not lines:
        abort(404, "Its text has no times, so it has no subtitles.")
    seen = shown(thing)
    if form == "json":
        body = json.dumps(_as_json(seen, rows, lines), ensure_ascii=False, indent=1)
    else:
        body = TIMED[form](lines) if form in TIMED else _as_text(thing, rows, lines)
    answer = send_file(
        io.BytesIO(body.encode()),
        MEDIA_TYPES[form],
        as_attachment=True,
        download_name=transcripts.file_name(seen["name"], form),
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.get("/assets/<asset_id>/picture")
def picture(asset_id: str) -> ResponseReturnValue:
    """The small picture of a thing that has one."""
    file = services().database.assets.picture(asset_id)
    if file is None:
        abort(404, "There is no picture of this thing.")
    answer = Response(file, content_type="image/webp")
    answer.headers["Cache-Control"] = "private, max-age=600"
    answer.add_etag()
    return answer.make_conditional(request)


@blueprint.post("/assets/<asset_id>/retry")
def retry(asset_id: str) -> ResponseReturnValue:
    return _act(asset_id, services().pipeline.lifecycle.retry, "Trying again.")


@blueprint.post("/assets/<asset_id>/cancel")
def cancel(asset_id: str) -> ResponseReturnValue:
    return _act(asset_id, services().pipeline.lifecycle.cancel, "Cancelled.")


@blueprint.post("/assets/<asset_id>/delete")
def delete(asset_id: str) -> ResponseReturnValue:
    things = request.form.get("things", "keep")
    if things not in ("keep", "delete"):
        abort(400, f"“things” is keep or delete, not “{things[:50]}”.")
    services().pipeline.lifecycle.delete(asset_id, with_things=things == "delete")
    if wants_json():
        return jsonify(deleted=asset_id)
    flash("Deleted.", "success")
    return redirect(url_for("home.index"), 303)


def _of_replicate(thing: Asset) -> dict[str, Any]:
    """What Replicate told of the latest prediction of its text, by the names of the tutorial."""
    return {
        "replicate_request": thing.replicate_request,
        "replicate_response": thing.replicate_response,
    }


def _records(thing: Asset) -> dict[str, str]:
    """The same as indented JSON, without what there is none of."""
    return {
        name: json.dumps(told, ensure_ascii=False, indent=2, default=str)
        for name, told in _of_replicate(thing).items()
        if told
    }


def _found(thing: Asset | None) -> Asset:
    if thing is None:
        raise NoSuchAsset
    return thing


def _place_asked_for() -> dict[str, Any]:
    """The query and the passage at which a person opens the text, or the part that is wanted."""
    query, at = request.args.get("query", "").strip(), _position("at")
    return {"query": query, "at": at, "around": _position("around") or 0}


def _position(name: str) -> int | None:
    """The position of a passage in the address."""
    given = request.args.get(name, "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else None


def _as_list(thing: Asset) -> dict[str, Any]:
    """What the page of a list shows besides."""
    found = list_import(thing)
    if found is None:
        return {"entries": None}
    return {
        "entries": entries(found),
        "entry_acts": acts(found),
        "problems": problems_of(found),
        "following": {
            "at": found.look_again_at,
            "looking": found.is_due(now()),
            "new": found.new,
            "looked_at": found.looks.at,
            "error": found.looks.error,
        },
    }


def _in_index(thing: Asset) -> bool:
    """Whether searches find the thing, if it is searchable. Only a new one is looked up."""
    if thing.status is not AssetStatus.SEARCHABLE or now() - thing.updated_at > INDEX_DELAY:
        return True
    try:
        return services().database.passage_index.holds(thing.id)
    except ServiceUnavailable:  # the search tells what is away
        return True


def _state(thing: Asset, rows: Rows | None = None) -> dict[str, Any]:
    """How it stands, as JSON. `rows` are its passages, if they are known."""
    counted = None if rows is None else (sum(row["embedded"] for row in rows), len(rows))
    progress = services().watch.progress(thing, counted)
    return {"progress": asdict(progress), "now": asdict(standing(thing, progress, now()))}


def _act(asset_id: str, change: Callable[[str], Asset], message: str) -> ResponseReturnValue:
    """Answer what became of a change that the thing may not be in the state for."""
    try:
        thing = change(asset_id)
    except BadInput as error:
        if wants_json():
            return jsonify(error=str(error)), 409
        flash(str(error), "error")
        return redirect(url_for("assets.show", asset_id=asset_id), 303)
    if wants_json():
        return jsonify(asset=listed(thing)), 202
    flash(message, "success")
    return redirect(url_for("assets.show", asset_id=asset_id), 303)


def _timed_lines(thing: Asset, rows: Rows) -> list[Line]:
    """What was said and when; by its passages where nothing finer was kept."""
    if thing.segments and thing.text is not None:
        return transcripts.unpack(thing.text, thing.segments)
    return transcripts.from_locators((row["text"], row["locator"]) for row in rows)


def _grouped(lines: Sequence[Line], rows: Rows) -> list[Group]:
    return transcripts.grouped(lines, [row["locator"] for row in rows])


def _as_text(thing: Asset, rows: Rows, lines: Sequence[Line]) -> str:
    if not lines:
        return transcripts.plain([thing.text or ""])
    paragraphs = _grouped(lines, rows)
    return transcripts.plain(" ".join(line.text for line in group.lines) for group in paragraphs)


def _as_json(seen: Mapping[str, Any], rows: Rows, lines: Sequence[Line]) -> dict[str, Any]:
    told = {name: seen[name] for name in ("id", "url", "title", "kind", "text")}
    if lines:
        return {**told, "segments": [asdict(line) for line in lines]}
    # `heading` is null where there is none, as it always was; other places have their own names.
    parts = [part for row in rows for part in sections_of(row)]
    passages = [{"text": text, "heading": None, **place.stored()} for text, place in parts]
    return {**told, "passages": passages}
