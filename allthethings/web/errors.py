"""Errors as pages and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flask import Flask, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from allthethings.errors import IndexingError, NoSuchAsset, ServiceUnavailable
from allthethings.web.formatting import size
from allthethings.web.submission_form import MAX_FORM, MAX_TYPED, MAX_TYPED_LIST, UPLOADS
from allthethings.web.view_models import wants_json

# The beginning of the paths of callbacks, which are answered as JSON.
WEBHOOKS = "/webhooks/"
# The path that tells whether every part answers.
HEALTH = "/healthz"
# By HTTP status: a title, and the sentence for where nothing else was said.
PAGES: Mapping[int, tuple[str, str]] = {
    404: ("Not found", "There is no such page."),
    405: ("Not allowed", "This page does not accept that kind of request."),
    413: (
        "Too large",
        f"A form may hold {size(MAX_TYPED)} of typed text, or {size(MAX_TYPED_LIST)} of URLs, and "
        f"a file of {size(MAX_FORM * UPLOADS)}. This was more.",
    ),
    500: (
        "Internal error",
        "Something went wrong in this app. Its log has the details.",
    ),
}


def register_error_handlers(app: Flask) -> None:
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(IndexingError, _indexing_error)


def _http_error(error: HTTPException) -> ResponseReturnValue:
    # Allow, Retry-After and their like; the content is ours.
    headers = [pair for pair in error.get_headers() if pair[0].lower() != "content-type"]
    code, said = error.code or 500, error.description or error.name
    title, ours = PAGES.get(code, (error.name, said))
    nothing_said = error.description == type(error).description
    # The sentences are about pages and forms; a callback is neither.
    use_ours = nothing_said and not request.path.startswith(WEBHOOKS)
    return _answer(code, title, ours if use_ours else said, headers)


def _indexing_error(error: IndexingError) -> ResponseReturnValue:
    if isinstance(error, NoSuchAsset):
        return _answer(404, "Not found", str(error))
    if isinstance(error, ServiceUnavailable):
        return _answer(503, "Not available", f"{error}. Try again in a moment.")
    return _answer(400, "That did not work", str(error))


def _answer(
    code: int, title: str, message: str, headers: Sequence[tuple[str, str]] = ()
) -> ResponseReturnValue:
    if wants_json() or request.path.startswith(WEBHOOKS):
        return jsonify(error=message), code, [*headers]
    page = render_template("error.html", code=code, title=title, message=message)
    return page, code, [*headers]
