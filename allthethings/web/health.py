"""Whether every part answers, for a program that watches the app."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from allthethings.pipeline.health import Check, report


def create_blueprint(parts: Mapping[str, Check]) -> Blueprint:
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/healthz")
    def healthz() -> ResponseReturnValue:
        states = report(parts)
        healthy = all(state == "ok" for state in states.values())
        failing = [name for name, state in states.items() if state != "ok"]
        return jsonify(ok=healthy, parts=states, failing=failing), 200 if healthy else 503

    return blueprint
