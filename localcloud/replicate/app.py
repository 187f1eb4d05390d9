"""The routes of the API, which follow Replicate's OpenAPI document."""

from __future__ import annotations

import hmac
import json
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from localcloud.replicate import file_routes, model_routes, prediction_routes
from localcloud.replicate.problems import (
    Problem,
    answer_fault,
    answer_http_error,
    answer_problem,
    not_found,
)
from localcloud.replicate.service import INTERNAL, Service


class RequireToken:
    """Answers 401 unless the request has the API token, as Bearer or as Token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope.get("headers", []))
        scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
        known = hmac.compare_digest(given.strip(), self._token)
        if scheme.lower() in {b"bearer", b"token"} and known:
            await self._app(scope, receive, send)
            return
        detail = "You did not pass a valid authentication token"
        await Problem(401, "Unauthenticated", detail).response()(scope, receive, send)


def create_app(service: Service) -> Starlette:
    """The whole server: the API, its health, and the routes for models.

    The API is below /v1. It is at the root too: version 1 of the SDK adds /v1 to
    REPLICATE_BASE_URL, version 2 does not.
    """
    api = Starlette(
        routes=[
            Route("/account", _account),
            Route("/webhooks/default/secret", _webhook_secret),
            *model_routes.ROUTES,
            *prediction_routes.ROUTES,
            *file_routes.ROUTES,
        ],
        exception_handlers=_HANDLERS,
    )
    app = Starlette(
        routes=[
            Route("/healthz", _health),
            Mount("/v1", RequireToken(api, service.settings.token)),
            Route(INTERNAL + "{token}", _report, methods=["POST"]),
            Route(INTERNAL + "{token}/{name:path}", _input_file),
            Mount("/", RequireToken(api, service.settings.token)),
        ],
        exception_handlers=_HANDLERS,
    )
    app.state.service = api.state.service = service
    return app


_HANDLERS: dict[Any, Any] = {
    Problem: answer_problem,
    HTTPException: answer_http_error,
    Exception: answer_fault,
}


async def _health(request: Request) -> Response:
    service: Service = request.app.state.service
    models = {one.model.full_name: one for one in service.models.values()}
    parts = {name: model.status for name, model in models.items()}
    failing = [name for name, model in models.items() if not model.ready.is_set()]
    body: dict[str, Any] = {
        "status": "unavailable" if failing else "ok",
        "models": parts,
        "failing": failing,
    }
    if reasons := {name: model.broken for name, model in models.items() if model.broken}:
        body["reasons"] = reasons
    return JSONResponse(body, 503 if failing else 200)


async def _account(_request: Request) -> Response:
    return JSONResponse({"type": "user", "username": "local", "name": "Local", "github_url": None})


async def _webhook_secret(request: Request) -> Response:
    service: Service = request.app.state.service
    return JSONResponse({"key": service.signer.secret})


async def _report(request: Request) -> Response:
    """A report from Cog about a prediction. The token in the path is the run's secret."""
    service: Service = request.app.state.service
    try:
        payload = json.loads(await request.body())
    except (ValueError, ClientDisconnect):
        return Response(status_code=400)
    token = request.path_params["token"]
    known = any(model.report(token, payload) for model in service.models.values())
    return Response(status_code=200 if known else 404)


async def _input_file(request: Request) -> Response:
    service: Service = request.app.state.service
    path = service.inputs.path(request.path_params["token"])
    if path is None or not path.exists():
        raise not_found()
    return FileResponse(path)
