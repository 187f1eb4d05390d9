"""The gateway's requests, events and attempts, and the buttons that deliver an event again.

Without a key of the gateway's API these pages do not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, abort, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from allthethings.assets.asset import is_asset_id
from allthethings.errors import IndexingError
from allthethings.hookdeck.gateway import Gateway
from allthethings.hookdeck.records import Attempt, Event, Listing, Request
from allthethings.web.services import services
from allthethings.web.view_models import shown, wants_json

EVENTS, REQUESTS, ATTEMPTS = "events", "requests", "attempts"
# The statuses by which the API filters each list.
STATUSES: Mapping[str, tuple[str, ...]] = {
    EVENTS: ("FAILED", "QUEUED", "SCHEDULED", "HOLD", "SUCCESSFUL", "CANCELLED"),
    REQUESTS: ("rejected", "accepted"),
    ATTEMPTS: (),
}
PARAMETERS = ("status", "thing", "event", "request", "next", "prev")


@dataclass(frozen=True)
class Shown:
    """A page of one list. `latest` holds the last attempt of each event that was attempted."""

    page: Listing[Event] | Listing[Attempt] | Listing[Request] = field(default_factory=Listing)
    latest: Mapping[str, Attempt] = field(default_factory=dict)

    def things(self) -> set[str]:
        """The ids of the assets that these deliveries were for."""
        attempts = [entry for entry in self.page.entries if isinstance(entry, Attempt)]
        found = {attempt.callback.asset_id for attempt in [*attempts, *self.latest.values()]}
        return {asset_id for asset_id in found if asset_id}


blueprint = Blueprint("gateway", __name__)


@blueprint.get("/gateway")
def show() -> ResponseReturnValue:
    gateway = _gateway()
    kind = request.args.get("show", EVENTS)
    kind = kind if kind in STATUSES else EVENTS
    given = {name: request.args.get(name, "").strip()[:100] for name in PARAMETERS}
    if given["status"] not in STATUSES[kind]:
        given["status"] = ""
    if not is_asset_id(given["thing"]):
        given["thing"] = ""
    listed, problem, code = Shown(), "", 200
    try:
        listed = _list(gateway, kind, given)
    except IndexingError as error:
        problem, code = str(error), 503 if error.retryable else 502
    if wants_json():
        return _as_json(kind, listed, problem), code
    things = services().database.assets.many(listed.things())
    return render_template(
        "gateway.html",
        kind=kind,
        kinds=tuple(STATUSES),
        statuses=STATUSES[kind],
        given=given,
        page=listed.page,
        latest=listed.latest,
        things={asset_id: shown(thing)["name"] for asset_id, thing in things.items()},
        problem=problem,
    ), code


@blueprint.post("/gateway/events/<event_id>/retry")
def retry(event_id: str) -> ResponseReturnValue:
    gateway = _gateway()
    try:
        gateway.retry(event_id)
    except IndexingError as error:
        return _refused(error)
    return _done("The event is being delivered again.")


@blueprint.post("/gateway/retry-failed")
def retry_failed() -> ResponseReturnValue:
    gateway = _gateway()
    try:
        count = gateway.retry_failed()
    except IndexingError as error:
        return _refused(error)
    if not count:
        return _done("No event has failed.")
    return _done(f"{count:,} {'event is' if count == 1 else 'events are'} being delivered again.")


@blueprint.app_context_processor
def tell_templates() -> dict[str, object]:
    gateway = services().gateway
    return {"gateway_page": True, "event_link": gateway.link} if gateway else {}


def _gateway() -> Gateway:
    """The gateway's API. Answers 404 if the app has no key of it."""
    gateway = services().gateway
    if gateway is None:
        abort(404)
    return gateway


def _list(gateway: Gateway, kind: str, given: Mapping[str, str]) -> Shown:
    query: dict[str, str] = {name: given[name] for name in ("next", "prev") if given[name]}
    if kind == ATTEMPTS:
        event = {"event_id": given["event"]} if given["event"] else {}
        return Shown(gateway.attempts({**query, **event}))
    query |= {"status": given["status"]} if given["status"] else {}
    if kind == EVENTS and given["request"]:
        found = gateway.events(query, given["request"])
        return Shown(found.page, found.latest)
    query |= {"path": f"/{given['thing']}"} if given["thing"] else {}
    if kind == REQUESTS:
        return Shown(gateway.requests(query))
    found = gateway.events(query)
    return Shown(found.page, found.latest)


def _as_json(kind: str, listed: Shown, problem: str) -> Any:
    answer: dict[str, Any] = {kind: [_plain(entry) for entry in listed.page.entries]}
    answer |= {"next": listed.page.next, "prev": listed.page.prev}
    return jsonify({**answer, "error": problem} if problem else answer)


def _plain(entry: Event | Attempt | Request) -> dict[str, Any]:
    values = {name: getattr(entry, name) for name in entry.__dataclass_fields__}
    if isinstance(entry, Attempt):
        values["asset_id"] = values.pop("callback").asset_id
    if isinstance(entry, Request):
        del values["http_events"], values["cli_events"]
        values["events"] = entry.events
    return {
        name: value.isoformat() if hasattr(value, "isoformat") else value
        for name, value in values.items()
    }


def _done(message: str) -> ResponseReturnValue:
    if wants_json():
        return jsonify(message=message), 202
    flash(message, "success")
    return _back()


def _refused(error: IndexingError) -> ResponseReturnValue:
    if wants_json():
        return jsonify(error=str(error)), 503 if error.retryable else 502
    flash(str(error), "error")
    return _back()


def _back() -> ResponseReturnValue:
    """A redirect to the list whose button was clicked."""
    shown_before = {
        name: request.form[name]
        for name in ("show", "status", "thing", "event")
        if request.form.get(name)
    }
    return redirect(url_for("gateway.show", **shown_before), 303)  # type: ignore[arg-type]
