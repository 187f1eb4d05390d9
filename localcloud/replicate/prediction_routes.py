"""The routes of predictions: create, get, list, cancel."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.replicate.bodies import read_json
from localcloud.replicate.identifiers import new_id, timestamp
from localcloud.replicate.input_files import has_remote
from localcloud.replicate.model_routes import find_model
from localcloud.replicate.payloads import page_payload, prediction_payload
from localcloud.replicate.prediction_request import PredictionRequest, read_request
from localcloud.replicate.prediction_store import Prediction
from localcloud.replicate.problems import Problem, not_found, unprocessable
from localcloud.replicate.runner import CogModel
from localcloud.replicate.schemas import check_input
from localcloud.replicate.service import Service

# Predictions on a page of the list.
PAGE = 100


async def _create(request: Request) -> Response:
    service: Service = request.app.state.service
    wanted = read_request(await read_json(request), request.headers)
    if wanted.version is None:
        raise unprocessable("version is required")
    return await _predict(service, _by_version(service, wanted.version), wanted)


async def _create_for_model(request: Request) -> Response:
    service: Service = request.app.state.service
    model = find_model(service, "{owner}/{name}".format(**request.path_params))
    if model is None:
        raise not_found()
    return await _predict(service, model, read_request(await read_json(request), request.headers))


async def _get(request: Request) -> Response:
    service: Service = request.app.state.service
    return _answer(service, _prediction(request))


async def _cancel(request: Request) -> Response:
    service: Service = request.app.state.service
    prediction = _prediction(request)
    service.predictions.cancel(prediction.id)
    return _answer(service, service.predictions.get(prediction.id))


async def _list(request: Request) -> Response:
    service: Service = request.app.state.service
    query = request.query_params
    before, after = _read_cursor(query.get("cursor"))
    spans = {
        "created_from": _moment(query.get("created_after")),
        "created_until": _moment(query.get("created_before")),
    }
    store = service.predictions.store
    found = (
        []
        if query.get("source") == "web"
        else store.page(PAGE + 1, before=before, after=after, **spans)
    )
    more = len(found) > PAGE
    shown = (found[:PAGE] if after is None else found[-PAGE:]) if more else found
    kept = {key: query[key] for key in ("created_after", "created_before") if key in query}

    def link(kind: str, position: int) -> str:
        cursor = base64.urlsafe_b64encode(f"{kind}={position}".encode()).decode()
        return f"{service.settings.base}/v1/predictions?{urlencode({**kept, 'cursor': cursor})}"

    older = shown and (more or after is not None)
    newer = shown and (before is not None or (after is not None and more))
    return JSONResponse(
        page_payload(
            [prediction_payload(one, service.settings.base) for one in shown],
            link("before", shown[-1].seq) if older else None,
            link("after", shown[0].seq) if newer else None,
        )
    )


async def _predict(service: Service, model: CogModel, wanted: PredictionRequest) -> Response:
    """Accept a prediction. With Prefer: wait, answer at its end or when the time is over."""
    document = model.staged.document
    check_input(document, wanted.input)
    prediction = Prediction(
        id=new_id(),
        model=model.model.full_name,
        version=model.model.version,
        input=wanted.input,
        created_at=timestamp(),
        webhook=wanted.webhook,
        events=wanted.events,
        urgent=wanted.wait is not None,
        fetches=has_remote(document, wanted.input),
    )
    service.predictions.create(prediction)
    if wanted.wait is None:
        return _answer(service, prediction, 201)
    prediction = await service.predictions.wait(prediction.id, wanted.wait)
    if prediction.finished:
        return _answer(service, prediction, 201)
    # Like Replicate, answer 'starting' even if the prediction runs: the SDK takes any other
    # status for the end.
    payload = prediction_payload(prediction, service.settings.base) | {"status": "starting"}
    return JSONResponse(payload, 202)


def _answer(service: Service, prediction: Prediction, status: int = 200) -> Response:
    return JSONResponse(prediction_payload(prediction, service.settings.base), status)


def _prediction(request: Request) -> Prediction:
    service: Service = request.app.state.service
    prediction = service.predictions.store.get(request.path_params["id"])
    if prediction is None:
        raise not_found()
    return prediction


def _by_version(service: Service, named: str) -> CogModel:
    """The model that is named by `owner/name`, `owner/name:version` or the version alone."""
    name, _, version = named.rpartition(":")
    model = find_model(service, named) if "/" in version else service.models.get(version)
    if model is None or (name and model.model.full_name != name):
        detail = (
            "The specified version does not exist (or perhaps you don't have permission to use it?)"
        )
        raise Problem(422, "Invalid version or not permitted", detail)
    return model


def _read_cursor(cursor: str | None) -> tuple[int | None, int | None]:
    """The positions before and after which the page lies. At most one is not None."""
    if cursor is None:
        return None, None
    try:
        kind, _, position = base64.urlsafe_b64decode(cursor).decode().partition("=")
        seq = int(position)
    except (binascii.Error, ValueError) as error:
        raise not_found("Invalid cursor") from error
    if not 0 <= seq < 2**63:
        raise not_found("Invalid cursor")
    return (seq, None) if kind == "before" else (None, seq)


def _moment(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return timestamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise unprocessable(f"{text} is not an ISO 8601 date-time") from error


ROUTES: list[Any] = [
    Route("/predictions", _create, methods=["POST"]),
    Route("/predictions", _list),
    Route("/predictions/{id}", _get),
    Route("/predictions/{id}/cancel", _cancel, methods=["POST"]),
    Route("/models/{owner}/{name}/predictions", _create_for_model, methods=["POST"]),
]
