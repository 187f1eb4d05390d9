"""The routes of the Files API, to which the SDK uploads inputs that are open files."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.replicate.bodies import strict_json
from localcloud.replicate.files import MAX_BYTES, StoredFile
from localcloud.replicate.payloads import page_payload
from localcloud.replicate.problems import Problem, not_found, unprocessable
from localcloud.replicate.service import Service

# The most bytes of a multipart body beside the file.
_MULTIPART_OVERHEAD = 64 * 1024
# The most parts of it that are files, and that are not: the metadata may be one, or one each.
_MAX_FILES = 2
_MAX_FIELDS = 64
# Files in the list.
_LISTED = 100


async def _create(request: Request) -> Response:
    service: Service = request.app.state.service
    _refuse_large(request)
    async with request.form(max_files=_MAX_FILES, max_fields=_MAX_FIELDS) as form:
        content = form.get("content")
        if not isinstance(content, UploadFile):
            raise unprocessable("content must be a file")
        name = str(form.get("filename") or content.filename or "file")
        kind = str(form.get("type") or content.content_type or "application/octet-stream")
        metadata = await _metadata(form)
        stored = await service.files.add(content.file, name[:255], kind, metadata)
    return JSONResponse(stored.payload(service.files.base), 201)


async def _metadata(form: FormData) -> dict[str, Any]:
    """The metadata, which a client sends as JSON in a field or a file, or as metadata[name]."""
    given = form.get("metadata")
    if given is None:
        named = {key: value for key, value in form.items() if key.startswith("metadata[")}
        return {key[len("metadata[") : -1]: value for key, value in named.items()}
    try:
        text = (await given.read()).decode() if isinstance(given, UploadFile) else given
        found = strict_json(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise unprocessable("metadata must be a JSON object")
    return found


async def _list(request: Request) -> Response:
    service: Service = request.app.state.service
    stored = service.files.newest(_LISTED)
    return JSONResponse(page_payload([one.payload(service.files.base) for one in stored], None))


async def _get(request: Request) -> Response:
    service: Service = request.app.state.service
    return JSONResponse(_file(request).payload(service.files.base))


async def _delete(request: Request) -> Response:
    service: Service = request.app.state.service
    if not service.files.delete(request.path_params["id"]):
        raise not_found("File not found")
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


ROUTES = [
    Route("/files", _create, methods=["POST"]),
    Route("/files", _list),
    Route("/files/{id}", _get),
    Route("/files/{id}", _delete, methods=["DELETE"]),
]
