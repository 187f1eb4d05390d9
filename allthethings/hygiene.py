"""What every answer says to the browser, and which requests are not taken from other sites."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, Response, abort, request

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; media-src http: https:; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def protect(app: Flask, *, exempt: str) -> None:
    """Add the headers to every answer, and refuse forms that another site sends.

    `exempt` is the beginning of the paths that are not for browsers. A browser says where a
    request comes from in Sec-Fetch-Site, or in Origin; one that says neither comes from no
    browser, so no person's cookies are with it.
    """

    @app.before_request
    def refuse_other_sites() -> None:
        if request.method in SAFE_METHODS or request.path.startswith(exempt):
            return
        site = request.headers.get("Sec-Fetch-Site")
        origin = request.headers.get("Origin")
        if site in ("same-origin", "none") or (site is None and origin is None):
            return
        if site is None and origin is not None and urlsplit(origin).netloc == request.host:
            return
        abort(403, "This form was sent from another site.")

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        # Pages tell what is so now; a browser must not show an older one.
        response.headers.setdefault("Cache-Control", "no-store")
        return response
