"""The routes of the Files API, to which the SDK uploads inputs that are open files."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from localcloud.replicate.bodies import strict_json
from localcloud.replicate.files import MAX_BYTES, StoredFile
from localcloud.replicate.payloads import page_payload
from localcloud.replicate.problems import Problem, not_found, unprocessable
from localcloud.replicate.service import Service

# The most bytes of a multipart body beside the file.
_MULTIPART_OVERHEAD = 64 * 1024


async def _create(request: Request) -> Response:
    service: Service = request.app.state.service
    _refuse_large(request)
    async with request.form(max_files=1, max_fields=4) as form:
        content = form.get("content")
        if not isinstance(content, UploadFile):
            raise unprocessable("content must be a file")
        name = str(form.get("filename") or content.filename or "file")
        kind = str(form.get("type") or content.content_type or "application/octet-stream")
        metadata = _metadata(form.get("metadata"))
        stored = await service.files.add(content.file, name[:255], kind, metadata)
    return JSONResponse(stored.payload(service.files.base), 201)


async def _list(request: Request) -> Response:
    service: Service = request.app.state.service
    files = [stored.payload(service.files.base) for stored in service.files.list()]
    return JSONResponse(page_payload(files, None, None))


async def _get(request: Request) -> Response:
    service: Service = request.app.state.service
    return JSONResponse(_file(request).payload(service.files.base))


async def _download(request: Request) -> Response:
    """The bytes of a file. Unlike Replicate's signed links, this needs the API token."""
    stored = _file(request)
    return FileResponse(stored.path, media_type=stored.content_type, filename=stored.name)


async def _delete(request: Request) -> Response:
    service: Service = request.app.state.service
    service.files.delete(_file(request).id)
    return Response(status_code=204)


def _file(request: Request) -> StoredFile:
    service: Service = request.app.state.service
    stored = service.files.get(request.path_params["id"])
    if stored is None:
        raise not_found("File not found")
    return stored


def _refuse_large(request: Request) -> None:
    length = request.headers.get("content-length", "")
    if not length.isdigit():
        raise Problem(411, "Length Required", "Content-Length is required")
    if int(length) > MAX_BYTES + _MULTIPART_OVERHEAD:
        raise Problem(413, "Content Too Large", "Files must be less than 100MB in size")


def _metadata(given: Any) -> dict[str, Any]:
    if isinstance(given, UploadFile):
        raise unprocessable("metadata must be JSON")
    try:
        metadata = strict_json(given or "{}")
    except (ValueError, RecursionError) as error:
        raise unprocessable("metadata must be JSON") from error
    if not isinstance(metadata, dict):
        raise unprocessable("metadata must be a JSON object")
    return metadata


ROUTES = [
    Route("/files", _create, methods=["POST"]),
    Route("/files", _list),
    Route("/files/{id}", _get),
    Route("/files/{id}", _delete, methods=["DELETE"]),
    Route("/files/{id}/download", _download),
]
