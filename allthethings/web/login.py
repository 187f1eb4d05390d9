"""One password for the whole app: a form for browsers, HTTP Basic for scripts."""

from __future__ import annotations

import hashlib
import hmac
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import cast
from urllib.parse import quote

from flask import (
    Blueprint,
    Flask,
    current_app,
    jsonify,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import TooManyRequests, Unauthorized

from allthethings.web.view_models import wants_json

EXTENSION = "login"
# Seconds in which wrong passwords are counted, and how many are allowed in that time.
WINDOW = 60.0
PER_ADDRESS = 10
IN_ALL = 100
SIGNED_IN = "signed_in"
WRONG = "Wrong password."
# The scheme Basic would make browsers open a dialogue over a page that polls.
CHALLENGE = WWWAuthenticate("FormBased", {"realm": "Index All The Things"})


blueprint = Blueprint("login", __name__)


class Tries:
    """Counts the wrong passwords of the last minute. One serves any number of threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counted: deque[tuple[float, str]] = deque()

    def begin(self, address: str) -> tuple[float, str]:
        """Count an attempt as wrong, until `forgive` takes it back. Raises TooManyRequests if
        there were too many: the password must not be looked at then."""
        with self._lock:
            now = self._clock()
            while self._counted and self._counted[0][0] <= now - WINDOW:
                self._counted.popleft()
            own = [moment for moment, other in self._counted if other == address]
            wait = 0.0
            if len(own) >= PER_ADDRESS:
                wait = own[-PER_ADDRESS] + WINDOW - now
            if len(self._counted) >= IN_ALL:
                wait = max(wait, self._counted[0][0] + WINDOW - now)
            if wait:
                seconds = int(wait) + 1
                raise TooManyRequests(
                    f"Too many wrong passwords. Try again in {seconds} seconds.",
                    retry_after=seconds,
                )
            self._counted.append((now, address))
            return now, address

    def forgive(self, one: tuple[float, str]) -> None:
        """Do not count this attempt: its password was right."""
        with self._lock:
            if one in self._counted:
                self._counted.remove(one)


class Gate:
    """Tells whether a request has the password, or a session that was opened with it."""

    def __init__(self, password: str, secret_key: str, tries: Tries) -> None:
        self._key = secret_key.encode("utf-8", "surrogateescape")
        self._mark = self._digest(password)
        self._tries = tries

    def _digest(self, password: str) -> str:
        given = b"password " + password.encode("utf-8", "surrogateescape")
        return hmac.new(self._key, given, hashlib.sha256).hexdigest()

    def accepts(self, password: str) -> bool:
        """Whether this is the password, compared in constant time. Raises TooManyRequests."""
        counted = self._tries.begin(request.remote_addr or "")
        right = hmac.compare_digest(self._digest(password), self._mark)
        if right:
            self._tries.forgive(counted)
        return right

    def enter(self) -> None:
        """Open a session. Another password makes it invalid."""
        session.clear()
        session[SIGNED_IN] = self._mark

    def has_entered(self) -> bool:
        return hmac.compare_digest(str(session.get(SIGNED_IN, "")).encode(), self._mark.encode())


def local_path(text: str) -> str:
    """The text if it is a path of this site, with or without a query; else `/`."""
    strange = "\\" in text or not text.isprintable() or any(letter.isspace() for letter in text)
    return text if text.startswith("/") and not text.startswith("//") and not strange else "/"


def require_password(
    app: Flask, password: str, *, open_paths: Sequence[str], tries: Tries | None = None
) -> None:
    """Ask for the password on every path that does not begin with one of `open_paths`."""
    gate = Gate(password, str(app.config["SECRET_KEY"]), tries or Tries())
    app.extensions[EXTENSION] = gate
    app.register_blueprint(blueprint)

    @app.before_request
    def check() -> ResponseReturnValue | None:
        if request.path.startswith(tuple(open_paths)):
            return None
        return _turned_away(gate)


def _turned_away(gate: Gate) -> ResponseReturnValue | None:
    """The answer to a request without the password, None to one with it. Raises Unauthorized,
    TooManyRequests."""
    if request.endpoint in ("login.form", "login.enter") or gate.has_entered():
        return None
    given = request.authorization
    if given is not None and given.type == "basic":
        if gate.accepts(given.password or ""):
            return None
        raise Unauthorized(WRONG, www_authenticate=CHALLENGE)
    if wants_json():
        raise Unauthorized("Sign in first.", www_authenticate=CHALLENGE)
    return redirect(url_for("login.form", next=_here()), 303)


def _gate() -> Gate:
    return cast(Gate, current_app.extensions[EXTENSION])


@blueprint.app_context_processor
def tell_templates() -> dict[str, object]:
    return {"signed_in": _gate().has_entered()}


@blueprint.get("/login")
def form() -> ResponseReturnValue:
    if _gate().has_entered():
        return redirect(local_path(request.args.get("next", "/")), 303)
    return _form(request.args.get("next", "/"))


@blueprint.post("/login")
def enter() -> ResponseReturnValue:
    following = local_path(request.form.get("next", "/"))
    if not _gate().accepts(request.form.get("password", "")):
        if wants_json():
            raise Unauthorized(WRONG, www_authenticate=CHALLENGE)
        return _form(following, WRONG, 401, {"WWW-Authenticate": str(CHALLENGE)})
    _gate().enter()
    return jsonify(signed_in=True) if wants_json() else redirect(following, 303)


@blueprint.post("/logout")
def leave() -> ResponseReturnValue:
    session.clear()
    return redirect(url_for("login.form"), 303)


@blueprint.errorhandler(TooManyRequests)
def wait(error: TooManyRequests) -> ResponseReturnValue:
    headers, message = {"Retry-After": str(error.retry_after)}, str(error.description)
    if wants_json():
        return jsonify(error=message), 429, headers
    return _form(request.form.get("next", "/"), message, 429, headers)


def _form(
    following: str, error: str = "", code: int = 200, headers: dict[str, str] | None = None
) -> ResponseReturnValue:
    page = render_template("login.html", following=local_path(following), error=error)
    return page, code, headers or {}


def _here() -> str:
    """The path and query of the request, to return to after the login; `/` for a sent form."""
    if request.method not in ("GET", "HEAD"):
        return "/"
    query = quote(request.query_string, safe="/?:@!$&'()*+,;=%-._~")
    return quote(request.path, safe="/:@!$&'()*+,;=-._~") + (f"?{query}" if query else "")
