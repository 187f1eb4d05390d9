"""The routes of models and their versions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.replicate.identifiers import timestamp
from localcloud.replicate.payloads import model_payload, page_payload, version_payload
from localcloud.replicate.problems import not_found
from localcloud.replicate.registry import MANIFEST
from localcloud.replicate.runner import CogModel
from localcloud.replicate.service import Service


def find_model(service: Service, full_name: str) -> CogModel | None:
    """The model with that `owner/name`."""
    found = [model for model in service.models.values() if model.model.full_name == full_name]
    return found[0] if found else None


async def _list(request: Request) -> Response:
    service: Service = request.app.state.service
    payloads = [_payload(service, model) for model in service.models.values()]
    return JSONResponse(page_payload(payloads, None))


async def _versions(request: Request) -> Response:
    model = _model(request)
    return JSONResponse(page_payload([version_payload(model.staged, _since(model))], None))


async def _get(request: Request) -> Response:
    return JSONResponse(_payload(request.app.state.service, _model(request)))


async def _version(request: Request) -> Response:
    model = _model(request)
    if request.path_params["version"] != model.model.version:
        raise not_found()
    return JSONResponse(version_payload(model.staged, _since(model)))


def _model(request: Request) -> CogModel:
    parameters = request.path_params
    model = find_model(request.app.state.service, f"{parameters['owner']}/{parameters['name']}")
    if model is None:
        raise not_found()
    return model


def _payload(service: Service, model: CogModel) -> dict[str, Any]:
    runs = service.predictions.store.run_count(model.model.version)
    return model_payload(model.staged, _since(model), runs, service.settings.base)


def _since(model: CogModel) -> str:
    changed = (model.model.folder / MANIFEST).stat().st_mtime
    return timestamp(datetime.fromtimestamp(changed, UTC))


_ONE = "/models/{owner}/{name}"
ROUTES = [
    Route("/models", _list),
    Route(_ONE, _get),
    Route(_ONE + "/versions", _versions),
    Route(_ONE + "/versions/{version}", _version),
]
