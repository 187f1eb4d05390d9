"""Whether every part answers, for a program that watches the app."""

from __future__ import annotations

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from allthethings.health import report
from allthethings.web.services import services

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> ResponseReturnValue:
    states = report(services().health)
    failing = [name for name, state in states.items() if state != "ok"]
    return jsonify(ok=not failing, parts=states, failing=failing), 503 if failing else 200
