"""Security headers on every answer, and the requests that are refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from urllib.parse import urlsplit

from flask import Flask, Response, abort, request
from flask.sessions import SecureCookieSessionInterface

from allthethings.hosts import host_of, is_loopback

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; media-src http: https:; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    # With no-referrer a browser says `Origin: null` even to the page's own site.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


WEB_URL = re.compile(r"https?://[^/?#\s]", re.IGNORECASE)


def is_web_url(text: object) -> bool:
    """Whether a page may link to it: an http or https URL, not javascript: and its like."""
    return isinstance(text, str) and WEB_URL.match(text) is not None


class Sessions(SecureCookieSessionInterface):
    """Session cookies, Secure over https. `always`: a proxy speaks https for the app."""

    def __init__(self, *, always: bool) -> None:
        self._always = always

    def get_cookie_secure(self, app: Flask) -> bool:  # noqa: ARG002 - Flask's signature
        return self._always or request.is_secure


def refuse_other_hosts(app: Flask, names: Collection[str], *, exempt: Sequence[str]) -> None:
    """Answer only to the host `names` and to loopback names. Paths that begin with one of
    `exempt` are answered under any name.

    This stops DNS rebinding: a stranger's page whose host name is made to point at this machine
    has the app's origin in the browser, but its own name in the Host header.
    """

    @app.before_request
    def check_host() -> None:
        if request.path.startswith(tuple(exempt)):
            return
        name = host_of(request.headers.get("Host", ""))
        if not name or not (is_loopback(name) or name in names):
            abort(
                400,
                "This app does not answer to this host name. Whoever runs it can set the "
                "name in APP_URL, or the address that it listens on in HOST.",
            )


def is_from_here() -> bool:
    """Whether the request comes from this machine, as one over a socket file does, which has no
    address."""
    return not request.remote_addr or is_loopback(request.remote_addr)


def refuse_other_machines(app: Flask, *, exempt: Sequence[str]) -> None:
    """Answer only to this machine, except for paths that begin with one of `exempt`.

    HOST says where the app should listen, but only its server knows where it does.
    """

    @app.before_request
    def check_address() -> None:
        if not is_from_here() and not request.path.startswith(tuple(exempt)):
            abort(
                403,
                "This app has no password, so it answers only its own machine. Whoever runs it "
                "can set APP_PASSWORD, or ALLOW_OPEN=1 to let in whoever reaches it.",
            )


def protect(app: Flask, *, exempt: str, is_a_script: Callable[[], bool]) -> None:
    """Add HEADERS to every answer, and refuse forms that another site sends.

    Paths that begin with `exempt` are not for browsers. A browser says where a request comes
    from, in Sec-Fetch-Site or Origin. A request with neither comes from a script, and carries no
    person's cookies; nor do cookies count in one for which `is_a_script` is true.
    """

    @app.before_request
    def refuse_other_sites() -> None:
        if request.method in SAFE_METHODS or request.path.startswith(exempt) or is_a_script():
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
        # A page shows the current state; a browser must not show an older copy.
        response.headers.setdefault("Cache-Control", "no-store")
        return response
