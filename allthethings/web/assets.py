"""A thing's page and what can be done with it; also as JSON for who asks for `application/json`."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

from flask import Blueprint, abort, flash, jsonify, redirect, render_template, send_file, url_for
from flask.typing import ResponseReturnValue

from allthethings.assets import transcripts
from allthethings.assets.asset import Asset
from allthethings.assets.transcripts import Group, Line
from allthethings.errors import BadInput, NoSuchAsset
from allthethings.hookdeck.records import Watched
from allthethings.store.documents import now
from allthethings.web.services import services
from allthethings.web.status_text import standing
from allthethings.web.timeline import build
from allthethings.web.view_models import entry_of, listed, shown, wants_json

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

blueprint = Blueprint("assets", __name__)


@blueprint.get("/assets/<asset_id>")
def show(asset_id: str) -> ResponseReturnValue:
    thing = _found(services().database.assets.get(asset_id))
    if wants_json():
        history = [entry_of(entry) for entry in thing.history]
        asset = {**listed(thing), "text": thing.text, "history": history, **_state(thing)}
        return jsonify(asset=asset)
    rows = services().database.passages.of(thing.id)
    lines = _timed_lines(thing, rows)
    has_text = bool(rows) and thing.text is not None
    gateway = services().gateway
    deliveries = gateway.watch(thing.id) if gateway else Watched()
    return render_template(
        "asset.html",
        asset={**shown(thing), **_state(thing), "passages": rows},
        groups=_grouped(lines, rows) if lines else (),
        forms=[form for form in MEDIA_TYPES if has_text and (lines or form not in TIMED)],
        hops=build(thing, rows, deliveries),
        trouble=deliveries.trouble,
    )


@blueprint.get("/assets/<asset_id>/state")
def look(asset_id: str) -> ResponseReturnValue:
    """What changes while it is under way; small, for who asks again and again."""
    thing = _found(services().database.assets.state(asset_id))
    return jsonify(asset={**listed(thing), **_state(thing)})


@blueprint.get("/assets/<asset_id>/transcript.<form>")
def transcript(asset_id: str, form: str) -> ResponseReturnValue:
    thing = _found(services().database.assets.get(asset_id))
    if form not in MEDIA_TYPES:
        abort(404, f"Transcripts come as {', '.join(MEDIA_TYPES)}, not as {form[:20]}.")
    rows = services().database.passages.of(thing.id)
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
        download_name=transcripts.file_name(thing.title or _stem(seen["name"]), form),
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.post("/assets/<asset_id>/retry")
def retry(asset_id: str) -> ResponseReturnValue:
    return _act(asset_id, services().pipeline.lifecycle.retry, "Trying again.")


@blueprint.post("/assets/<asset_id>/cancel")
def cancel(asset_id: str) -> ResponseReturnValue:
    return _act(asset_id, services().pipeline.lifecycle.cancel, "Cancelled.")


@blueprint.post("/assets/<asset_id>/delete")
def delete(asset_id: str) -> ResponseReturnValue:
    services().pipeline.lifecycle.delete(asset_id)
    if wants_json():
        return jsonify(deleted=asset_id)
    flash("Deleted.", "success")
    return redirect(url_for("home.index"), 303)


def _found(thing: Asset | None) -> Asset:
    if thing is None:
        raise NoSuchAsset
    return thing


def _state(thing: Asset) -> dict[str, Any]:
    """How it stands, as JSON."""
    progress = services().watch.progress(thing)
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


def _stem(name: str) -> str:
    """A thing's name, if it is the last part of its URL, without `.mp3` and the like."""
    return PurePosixPath(unquote(name)).stem


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
    passages = [{"text": row["text"], "heading": None, **row["locator"].stored()} for row in rows]
    return {**told, "passages": passages}
