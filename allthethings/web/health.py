"""Whether every part answers, for a program that watches the app."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from flask import Blueprint, Flask, current_app, jsonify
from flask.typing import ResponseReturnValue

from allthethings.web.errors import HEALTH
from allthethings.web.services import services

EXTENSION = "health"

blueprint = Blueprint("health", __name__)


def tell_details(app: Flask, is_let_in: Callable[[], bool]) -> None:
    """Tell the state of each part to requests for which `is_let_in` is true, and to no others."""
    app.extensions[EXTENSION] = is_let_in


@blueprint.get(HEALTH)
def healthz() -> ResponseReturnValue:
    """Strangers read of each part together, in an answer that may be some seconds old."""
    details = cast(Callable[[], bool], current_app.extensions[EXTENSION])()
    states = services().health.now() if details else services().health.lately()
    failing = [name for name, state in states.items() if state != "ok"]
    told = {"parts": states, "failing": failing} if details else {}
    return jsonify(ok=not failing, **told), 503 if failing else 200
