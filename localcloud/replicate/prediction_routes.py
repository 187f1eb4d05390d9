"""The routes of predictions: create, get, list, cancel."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

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
from localcloud.replicate.schemas import check_files
from localcloud.replicate.service import Service

# Predictions on a page of the list.
PAGE = 100
# SQLite's greatest integer.
MAX_POSITION = 2**63 - 1


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
    """A page of predictions, newest first. Only `next` leads on, as the SDK's own paging does."""
    service: Service = request.app.state.service
    found = service.predictions.store.page(PAGE + 1, _position(request.query_params.get("cursor")))
    shown = found[:PAGE]
    following = None
    if len(found) > PAGE:
        following = f"{service.settings.base}/v1/predictions?cursor={shown[-1].seq}"
    payloads = [prediction_payload(one, service.settings.base) for one in shown]
    return JSONResponse(page_payload(payloads, following))


async def _predict(service: Service, model: CogModel, wanted: PredictionRequest) -> Response:
    """Accept a prediction. With Prefer: wait, answer at its end or when the time is over."""
    document = model.staged.document
    check_files(document, wanted.input)
    now = datetime.now(UTC)
    prediction = Prediction(
        id=new_id(),
        model=model.model.full_name,
        version=model.model.version,
        input=wanted.input,
        created_at=timestamp(now),
        webhook=wanted.webhook,
        urgent=wanted.wait is not None,
        fetches=has_remote(document, wanted.input),
        deadline=timestamp(now + wanted.lifetime) if wanted.lifetime else None,
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


def _position(cursor: str | None) -> int:
    """The position before which the page begins."""
    if cursor is None:
        return MAX_POSITION
    if not re.fullmatch("[0-9]{1,18}", cursor):
        raise not_found("Invalid cursor")
    return int(cursor)


ROUTES: list[Any] = [
    Route("/predictions", _create, methods=["POST"]),
    Route("/predictions", _list),
    Route("/predictions/{id}", _get),
    Route("/predictions/{id}/cancel", _cancel, methods=["POST"]),
    Route("/models/{owner}/{name}/predictions", _create_for_model, methods=["POST"]),
]
