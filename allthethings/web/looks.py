"""Looking again at things: on request, by schedule, and what that found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, flash, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue

from allthethings.assets.asset import Asset, AssetStatus
from allthethings.assets.diffs import Part
from allthethings.assets.edits import Edit, edited
from allthethings.assets.looks import Outcome, Schedule
from allthethings.errors import BadInput
from allthethings.pipeline.looks import is_looked_at
from allthethings.store.changes import Change
from allthethings.web.formatting import counted
from allthethings.web.services import services
from allthethings.web.view_models import listed, wants_json

# How often a schedule checks a thing, in words.
EVERY = {
    Schedule.NEVER: "never",
    Schedule.DAILY: "every day",
    Schedule.WEEKLY: "every week",
    Schedule.MONTHLY: "every month",
}
# What a look found, where nothing went wrong.
FOUND = {Outcome.UNCHANGED: "no change", Outcome.CHANGED: "changed"}
# The value of the form that leaves it to the setting.
DEFAULT = "default"

blueprint = Blueprint("looks", __name__)


@dataclass(frozen=True)
class LooksShown:
    """What a thing's page tells of its looks. `found` follows the moment of the last one; `trouble`
    is why it could not be read, and `since` when that began. `choices` are the values and words of
    the schedules, `chosen` the value of the present one."""

    at: datetime | None
    found: str
    trouble: str
    since: datetime | None
    gone: bool
    moved_to: str | None
    being_made: bool
    chosen: str
    choices: tuple[tuple[str, str], ...]
    changes: tuple[ChangeShown, ...]


@dataclass(frozen=True)
class ChangeShown:
    """How a text was replaced, as the page shows it. `left_out` is how many passages it does not
    show, because they are too long."""

    at: datetime
    former_title: str | None
    summary: str
    parts: Sequence[Part | Edit]
    left_out: int


@blueprint.post("/look-again/<asset_id>")
def look_again(asset_id: str) -> ResponseReturnValue:
    """Ask the thing's server now. The path is its own: such requests share threads with
    submissions, which wait for servers too."""
    try:
        thing = services().pipeline.looks.ask(asset_id)
    except BadInput as error:
        return _refused(asset_id, error)
    if wants_json():
        return jsonify(asset=listed(thing)), 202
    flash(*_flash(thing))
    return redirect(url_for("assets.show", asset_id=asset_id), 303)


@blueprint.post("/assets/<asset_id>/schedule")
def choose(asset_id: str) -> ResponseReturnValue:
    """Choose how often a thing is looked at again."""
    schedule = _schedule(request.form.get("schedule", ""))
    try:
        thing = services().pipeline.looks.choose(asset_id, schedule)
    except BadInput as error:
        return _refused(asset_id, error)
    if wants_json():
        return jsonify(asset=listed(thing))
    flash(_promise(thing.schedule or services().pipeline.looks.default), "success")
    return redirect(url_for("assets.show", asset_id=asset_id), 303)


def shown_looks(thing: Asset) -> LooksShown | None:
    """For a thing's page; None for one that is not looked at again."""
    if thing.status is not AssetStatus.SEARCHABLE or not is_looked_at(thing):
        return None
    default, looks = services().pipeline.looks.default, thing.looks
    failed = looks.outcome in (Outcome.GONE, Outcome.FAILED)
    return LooksShown(
        at=looks.at,
        found=FOUND.get(looks.outcome, "") if looks.outcome else "",
        trouble=(looks.error or "") if failed else "",
        since=looks.gone_since or looks.failing_since if failed else None,
        gone=looks.outcome is Outcome.GONE,
        moved_to=looks.moved_to,
        being_made=services().database.revisions.of_thing(thing.id) is not None,
        chosen=thing.schedule or DEFAULT,
        choices=((DEFAULT, f"default ({EVERY[default]})"), *EVERY.items()),
        changes=tuple(map(_shown, services().database.changes.of(thing.id, thing.revision))),
    )


def changes_as_json(thing: Asset) -> list[dict[str, Any]]:
    """The latest changes of a thing's text, the latest first."""
    return [
        {
            "at": change.at.isoformat(),
            "former_title": change.former_title,
            "added": change.diff.added,
            "removed": change.diff.removed,
            "kept": change.diff.kept,
            "passages": [
                {"what": part.did, **({"text": part.text} if part.text else {"count": part.count})}
                for part in change.diff.parts
            ],
            "left_out": change.diff.left_out,
        }
        for change in services().database.changes.of(thing.id, thing.revision)
    ]


def _shown(change: Change) -> ChangeShown:
    parts, diff = edited(change.diff.parts), change.diff
    both = sum(isinstance(part, Edit) for part in parts)
    counts = {
        "changed": both,
        "added": diff.added - both,
        "removed": diff.removed - both,
        "unchanged": diff.kept,
    }
    told = [(number, name) for name, number in counts.items() if number]
    words = [f"{counted(number, 'passage')} {name}" for number, name in told[:1]]
    words += [f"{number:,} {name}" for number, name in told[1:]]
    return ChangeShown(change.at, change.former_title, ", ".join(words), parts, diff.left_out)


def _schedule(value: str) -> Schedule | None:
    if value == DEFAULT:
        return None
    if value in frozenset(Schedule):
        return Schedule(value)
    raise BadInput(f"A schedule is one of: {', '.join([*Schedule, DEFAULT])}.")


def _promise(schedule: Schedule) -> str:
    if schedule is Schedule.NEVER:
        return "It will not be checked automatically."
    return f"It will be checked {EVERY[schedule]}."


def _flash(thing: Asset) -> tuple[str, str]:
    """What a look found, in words, and how it is shown."""
    looks = thing.looks
    if looks.outcome is Outcome.UNCHANGED:
        return "It has not changed.", "success"
    if looks.outcome is not Outcome.CHANGED:
        return f"{looks.error} Its text is kept.", "error"
    if services().database.revisions.of_thing(thing.id):
        return "It has changed. Its new text is being made.", "success"
    latest = services().database.changes.of(thing.id, thing.revision)
    added, removed = (latest[0].diff.added, latest[0].diff.removed) if latest else (0, 0)
    return f"It has changed: {counted(added, 'passage')} added, {removed:,} removed.", "success"


def _refused(asset_id: str, error: BadInput) -> ResponseReturnValue:
    if wants_json():
        return jsonify(error=str(error)), 409
    flash(str(error), "error")
    return redirect(url_for("assets.show", asset_id=asset_id), 303)
