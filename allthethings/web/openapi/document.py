"""The OpenAPI document, and the route that answers it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from allthethings.web.openapi.operations import JSON, paths
from allthethings.web.openapi.schemas import SCHEMAS
from allthethings.web.openapi.terms import ref
from allthethings.web.services import services
from allthethings.web.view_models import base_of

ABOUT = """\
Pages and API share these routes: ask for JSON with `Accept: application/json`, or send a token.
Errors are sentences for people. Feeds, pictures and what only browsers need are not described here.
"""
# Either way to say who one is; neither where the app has no password.
SECURITY: list[dict[str, list[str]]] = [{"token": []}, {"password": []}, {}]

blueprint = Blueprint("openapi", __name__)


@blueprint.get("/openapi.json")
def show() -> ResponseReturnValue:
    return jsonify(document(base_of(services().app_url)))


def document(address: str) -> dict[str, Any]:
    """The description of the API of the app at this address."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Index All The Things", "version": "1", "description": ABOUT},
        "servers": [{"url": address}],
        "security": SECURITY,
        "paths": paths(),
        "components": {
            "schemas": dict(SCHEMAS),
            "responses": {
                "Refusal": {
                    "description": "The request is refused, or a part of the app is away",
                    "content": {JSON: {"schema": ref("Error")}},
                }
            },
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "password": {"type": "http", "scheme": "basic"},
            },
        },
    }
