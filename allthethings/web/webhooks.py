"""The routes that the gateway calls.

200: recorded, or nothing left to do; 400: not a prediction; 401: bad signature; 404: no such
asset, for good; 413: too large; 503 with Retry-After: trying again can help.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from flask import Blueprint, Response, current_app, jsonify, request
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import BadRequest

from allthethings.errors import (
    BadSignature,
    IndexingError,
    MalformedPrediction,
    NoSuchAsset,
    ServiceUnavailable,
)
from allthethings.hookdeck.deliveries import noted
from allthethings.hookdeck.signatures import require_signature, verify_hookdeck
from allthethings.processors import webhooks
from allthethings.web.services import services

# Seconds until the gateway tries again. Hookdeck honours it in place of its rule's interval, and
# counts the attempt all the same: a short one would use up the attempts before a service is back.
RETRY_AFTER = 30
# Bytes of a callback's body. Hookdeck takes no larger one from Replicate.
MAX_BODY = 10 * 1024 * 1024

blueprint = Blueprint("webhooks", __name__, url_prefix="/webhooks")


@blueprint.before_request
def verify() -> None:
    request.max_content_length = MAX_BODY
    require_signature(request.headers)
    verify_hookdeck(request.get_data(), request.headers, services().webhook_secret)


@blueprint.record
def add_text_routes(state: BlueprintSetupState) -> None:
    """A route for each model that turns things into text."""
    for webhook in webhooks():
        state.add_url_rule(f"/{webhook}/<asset_id>", "text", text, methods=["POST"])


def text(asset_id: str) -> tuple[Response, int]:
    pipeline = services().pipeline
    return _record(asset_id, lambda payload: pipeline.record_text(asset_id, payload))


@blueprint.post("/embedding/<asset_id>/<int:first>-<int:last>")
def embedding(asset_id: str, first: int, last: int) -> tuple[Response, int]:
    pipeline = services().pipeline
    return _record(
        asset_id, lambda payload: pipeline.record_vectors(asset_id, first, last, payload)
    )


@blueprint.errorhandler(IndexingError)
def refuse(error: IndexingError) -> tuple[Response, int, dict[str, str]]:
    code, headers = _answer_to(error)
    current_app.logger.warning("callback %s answered %d: %s", request.path, code, error)
    return jsonify(error=str(error)), code, headers


def _record(asset_id: str, step: Callable[[object], None]) -> tuple[Response, int]:
    received, began = datetime.now(UTC), time.perf_counter()
    payload = _payload()
    step(payload)
    took = time.perf_counter() - began
    if delivery := noted(request.headers, payload, request.path, received, took):
        services().pipeline.lifecycle.note_delivery(asset_id, delivery)
    return jsonify(status="ok"), 200


def _payload() -> object:
    try:
        payload: object = request.get_json(force=True)
    except (BadRequest, RecursionError) as error:
        raise MalformedPrediction("The body is not JSON, or nested too deeply.") from error
    return payload


def _answer_to(error: IndexingError) -> tuple[int, dict[str, str]]:
    if isinstance(error, BadSignature):
        return 401, {}
    if isinstance(error, NoSuchAsset):
        return 404, {}
    if error.retryable or isinstance(error, ServiceUnavailable):
        return 503, {"Retry-After": str(RETRY_AFTER)}
    return 400, {}
