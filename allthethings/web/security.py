"""What every answer says to the browser, and which requests are not taken from other sites."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
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
    """Whether a link may lead there: javascript: and its like are addresses too."""
    return isinstance(text, str) and WEB_URL.match(text) is not None


class Sessions(SecureCookieSessionInterface):
    """Cookies are Secure over https; behind a proxy that speaks it, `always` says so."""

    def __init__(self, *, always: bool) -> None:
        self._always = always

    def get_cookie_secure(self, app: Flask) -> bool:  # noqa: ARG002 - Flask's signature
        return self._always or request.is_secure


def refuse_other_hosts(app: Flask, names: Collection[str], *, exempt: Sequence[str]) -> None:
    """Answer only to `names` and to loopback ones, but for the paths that begin with `exempt`.

    A page of a stranger whose name leads to this machine (DNS rebinding) is to the browser of
    the same origin as the app; its name in the Host header gives it away.
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


def refuse_other_machines(app: Flask, *, exempt: Sequence[str]) -> None:
    """Answer only to this machine, but for the paths that begin with `exempt`.

    HOST is what the app is told; where its server really listens, that alone knows. A socket
    file gives no address: only this machine reaches it.
    """

    @app.before_request
    def check_address() -> None:
        address = request.remote_addr
        if address and not is_loopback(address) and not request.path.startswith(tuple(exempt)):
            abort(
                403,
                "This app has no password, so it answers only its own machine. Whoever runs it "
                "can set APP_PASSWORD, or ALLOW_OPEN=1 to let in whoever reaches it.",
            )


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
