"""The pages of imports: what became of each line, and what can be done with the whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from flask import Blueprint, abort, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from allthethings.assets.asset import Asset
from allthethings.assets.imports import Fate, Import, Line
from allthethings.assets.members import path_in_archive
from allthethings.errors import BadInput
from allthethings.store.documents import now
from allthethings.web.lists import acts, things_of
from allthethings.web.services import services
from allthethings.web.view_models import wants_json

# Lines on a page.
PAGE = 100
# Imports on a page.
IMPORTS = 20
NUMBER = re.compile(r"\d{1,7}", re.ASCII)
GONE = "This import does not exist."

blueprint = Blueprint("imports", __name__)


@blueprint.get("/imports")
def index() -> ResponseReturnValue:
    store = services().database.imports
    before = request.args.get("before", "")
    known = store.get(before)
    found = store.newest(IMPORTS + 1, known.id if known else None)
    shown_ones = found[:IMPORTS]
    counts_of = store.counts_of([each.id for each in shown_ones])
    counted = [(each, counts_of[each.id]) for each in shown_ones]
    more = found[IMPORTS - 1].id if len(found) > IMPORTS else None
    following = url_for("imports.index", before=more) if more else None
    if wants_json():
        return jsonify(imports=[as_json(*each) for each in counted], next=following)
    things = services().database.assets.many(each.id for each, _ in counted if each.of_list)
    titles = {each.id: each.title or each.url for each in things.values()}
    shown = [
        {**as_json(each, counts), "created_at": each.created_at, "title": titles.get(each.id)}
        for each, counts in counted
    ]
    return render_template("imports.html", imports=shown, next=following)


@blueprint.get("/imports/<import_id>")
def show(import_id: str) -> ResponseReturnValue:
    found = _found(import_id)
    store = services().database.imports
    fate = _asked_fate()
    after, before = _asked_number("after") or 0, _asked_number("before")
    lines = store.page(found.id, PAGE, fate=fate, after=after, before=before)
    told = {**as_json(found, store.counts(found.id)), "things": things_of(found)}
    body = {"lines": _shown(lines), **_links(found, fate, lines)}
    if wants_json():
        return jsonify({"import": told, **body})
    return render_template(
        "import.html",
        batch={**told, "created_at": found.created_at},
        thing=services().database.assets.state(found.id) if found.of_list else None,
        fate=fate,
        fates=list(Fate),
        place={"fate": fate and fate.value, "after": after or None, "before": before},
        **acts(found),
        **body,
    )


@blueprint.post("/imports/<import_id>/pause")
def pause(import_id: str) -> ResponseReturnValue:
    return _act(import_id, services().imports.pause, "Paused.")


@blueprint.post("/imports/<import_id>/resume")
def resume(import_id: str) -> ResponseReturnValue:
    return _act(import_id, services().imports.resume, "Resumed.")


@blueprint.post("/imports/<import_id>/confirm")
def confirm(import_id: str) -> ResponseReturnValue:
    """Index the entries of a list that asks: all, or the `first` ones alone."""
    told = request.form.get("first", "").strip()
    if told and not NUMBER.fullmatch(told):
        abort(400, f"“first” is a number of entries, not “{told[:50]}”.")
    first = int(told) if told else None
    change = partial(services().imports.confirm, first=first)
    return _act(import_id, change, _decided(first))


@blueprint.post("/imports/<import_id>/look")
def look(import_id: str) -> ResponseReturnValue:
    """Look for new entries of a list now."""
    return _act(import_id, services().imports.look, "Looking for new entries.")


@blueprint.post("/imports/<import_id>/undo")
def undo(import_id: str) -> ResponseReturnValue:
    return _act(import_id, services().imports.undo, "What this import has added is being deleted.")


def accepted(made: Import) -> ResponseReturnValue:
    """The answer to who sent a list."""
    address = url_for("imports.show", import_id=made.id)
    if wants_json():
        counts = {Fate.WAITING: made.size}
        answer = jsonify({"import": as_json(made, counts), "notes": list(made.notes)})
        return answer, 202, {"Location": address}
    return redirect(address, 303)


def _found(import_id: str) -> Import:
    found = services().database.imports.get(import_id)
    if found is None:
        abort(404, GONE)
    return found


def _asked_fate() -> Fate | None:
    name = request.args.get("fate", "").strip().lower()
    if not name:
        return None
    if name not in frozenset(Fate):
        abort(400, f"There is no outcome “{name[:50]}”. They are: {', '.join(Fate)}.")
    return Fate(name)


def _asked_number(name: str) -> int | None:
    value = request.args.get(name, "").strip()
    if not value:
        return None
    if not NUMBER.fullmatch(value):
        abort(400, f"“{name}” is the number of a line, not “{value[:50]}”.")
    return int(value)


def _links(found: Import, fate: Fate | None, lines: Sequence[Line]) -> dict[str, str | None]:
    """The addresses of the pages around these lines."""
    store = services().database.imports
    chosen: dict[str, Any] = {"fate": fate.value} if fate else {}
    links: dict[str, str | None] = {"previous": None, "next": None}
    if lines:
        first, last = lines[0].number, lines[-1].number
        if first > 1 and store.page(found.id, 1, fate=fate, before=first):
            chosen["before"] = first
            links["previous"] = url_for("imports.show", import_id=found.id, **chosen)
        if last < found.size and store.page(found.id, 1, fate=fate, after=last):
            chosen = {**chosen, "before": None, "after": last}
            links["next"] = url_for("imports.show", import_id=found.id, **chosen)
    return links


def as_json(found: Import, counts: Mapping[Fate, int]) -> dict[str, Any]:
    """The import as JSON, with the number of its lines of each fate."""
    return {
        "id": found.id,
        "address": url_for("imports.show", import_id=found.id),
        "state": found.state.value,
        "lines": found.size,
        "counts": {fate.value: counts.get(fate, 0) for fate in Fate},
        "notes": list(found.notes),
        "created_at": found.created_at.isoformat(),
        "list": found.of_list,
        "look_again_at": found.look_again_at and found.look_again_at.isoformat(),
        "looking": found.is_due(now()),
    }


def entries(found: Import) -> dict[str, Any]:
    """The first lines of the import of a list, for the page of the list."""
    store = services().database.imports
    lines = store.page(found.id, PAGE)
    told = {**as_json(found, store.counts(found.id)), "things": things_of(found)}
    return {**told, "lines": _shown(lines), "all": found.size, **_links(found, None, lines)}


def _shown(lines: Sequence[Line]) -> list[dict[str, Any]]:
    ids = {line.asset_id for line in lines if line.asset_id}
    assets = services().database.assets.many(ids)
    return [_line(line, assets.get(line.asset_id or "")) for line in lines]


def _line(line: Line, asset: Asset | None) -> dict[str, Any]:
    return {
        "number": line.number,
        "url": line.url,
        "times": line.times,
        "entry": line.told.get("title") or path_in_archive(line.url) or None,
        "outcome": line.fate.value,
        "message": line.message or (asset.error if asset and asset.failed else "") or "",
        "error_code": line.error_code,
        "asset_id": asset.id if asset else None,
        "title": asset.title if asset else None,
        "status": asset.status.value if asset else None,
    }


def _act(import_id: str, change: Callable[[str], None], message: str) -> ResponseReturnValue:
    """Answer what became of a change that the import may not be in the state for."""
    found = _found(import_id)
    try:
        change(found.id)
    except BadInput as error:
        if wants_json():
            return jsonify(error=str(error)), 409
        flash(str(error), "error")
        return redirect(_page_of(found), 303)
    if wants_json():
        latest = _found(found.id)
        return jsonify(
            {"import": as_json(latest, services().database.imports.counts(found.id))}
        ), 202
    flash(message, "success")
    return redirect(_page_of(found), 303)


def _decided(first: int | None) -> str:
    """What a person decided about new entries; `first` as `confirm` takes it."""
    if first is None:
        return "The new entries will be indexed."
    if not first:
        return "The new entries will not be indexed."
    return f"Of the new entries, only the first {first:,} will be indexed."


def _page_of(found: Import) -> str:
    """The page where a person acts on an import."""
    if found.of_list:
        return url_for("assets.show", asset_id=found.id)
    return url_for("imports.show", import_id=found.id)
