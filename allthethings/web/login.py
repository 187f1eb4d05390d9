"""One password for the whole app: a form for browsers, HTTP Basic for scripts, which may also have
tokens."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import cast
from urllib.parse import quote

from flask import (
    Blueprint,
    Flask,
    current_app,
    g,
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

from allthethings.errors import ServiceUnavailable
from allthethings.store.sessions import LIFETIME
from allthethings.web.services import services
from allthethings.web.view_models import wants_json

EXTENSION = "login"
# Seconds in which wrong passwords and tokens are counted, and how many of an address are answered
# at once.
WINDOW = 60.0
PER_ADDRESS = 10
# Seconds that the answer to every further one waits, and how many may wait in one process: each
# holds a thread.
DELAY = 1.0
MAX_WAITING = 4
# Wrong passwords and tokens that are remembered.
MAX_COUNTED = 10_000
SIGNED_IN, SESSION_ID = "signed_in", "id"
WRONG, WRONG_TOKEN = "Wrong password.", "Wrong token."
# The scheme Basic would make browsers open a dialogue over a page that polls.
CHALLENGE = WWWAuthenticate("FormBased", {"realm": "Index All The Things"})
BAD_TOKEN = WWWAuthenticate("Bearer", {"realm": "Index All The Things", "error": "invalid_token"})


blueprint = Blueprint("login", __name__)


class Tries:
    """Slows down whoever guesses. One serves any number of threads.

    Only the answers to wrong passwords and tokens wait: a right one is accepted at any time,
    however many wrong ones come from the same address.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._counted: deque[tuple[float, str]] = deque(maxlen=MAX_COUNTED)
        self._waiting = threading.BoundedSemaphore(MAX_WAITING)

    def wrong(self, address: str) -> None:
        """Count a wrong password or token. Waits if there were too many from that address, and
        raises TooManyRequests if too many wait already."""
        if self._count(network_of(address)) <= PER_ADDRESS:
            return
        if not self._waiting.acquire(blocking=False):
            message = "Too many wrong passwords or tokens. The right one is accepted at any time."
            raise TooManyRequests(message, retry_after=int(DELAY))
        try:
            self._sleep(DELAY)
        finally:
            self._waiting.release()

    def _count(self, network: str) -> int:
        with self._lock:
            now = self._clock()
            while self._counted and self._counted[0][0] <= now - WINDOW:
                self._counted.popleft()
            self._counted.append((now, network))
            return sum(other == network for _, other in self._counted)


def network_of(address: str) -> str:
    """What one guesser has of addresses: a single one of IPv4, a network of 64 bits of IPv6."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if known.version == 4 or known.ipv4_mapped:
        return str(known)
    return str(ipaddress.ip_network((known, 64), strict=False))


class Gate:
    """Tells whether a request has the password, a session that was opened with it, or a token."""

    def __init__(
        self, password: str, secret_key: str, tries: Tries, tokens: Collection[str] = ()
    ) -> None:
        self._key = secret_key.encode("utf-8", "surrogateescape")
        self._mark = self._digest(b"password ", password)
        self._token_marks = [self._digest(b"token ", token) for token in tokens]
        self._tries = tries

    @property
    def takes_tokens(self) -> bool:
        """Whether there are tokens. If not, the scheme Bearer says nothing to this app."""
        return bool(self._token_marks)

    def _digest(self, use: bytes, secret: str) -> str:
        given = use + secret.encode("utf-8", "surrogateescape")
        return hmac.new(self._key, given, hashlib.sha256).hexdigest()

    def accepts(self, password: str) -> bool:
        """Whether this is the password, compared in constant time. Raises TooManyRequests."""
        return self._counted(hmac.compare_digest(self._digest(b"password ", password), self._mark))

    def accepts_token(self, token: str) -> bool:
        """Whether this is one of the tokens; the time does not depend on which. Raises
        TooManyRequests."""
        given = self._digest(b"token ", token)
        equal = [hmac.compare_digest(given, each) for each in self._token_marks]
        return self._counted(any(equal))

    def _counted(self, right: bool) -> bool:
        """The same, once a wrong password or token has been counted. Raises TooManyRequests."""
        if not right:
            self._tries.wrong(request.remote_addr or "")
        return right

    def enter(self) -> None:
        """Open a session. Another password makes it invalid."""
        session.clear()
        session[SIGNED_IN] = self._mark
        session[SESSION_ID] = secrets.token_urlsafe(16)

    def leave(self) -> None:
        """End the session, also for copies of its cookie. Raises ServiceUnavailable."""
        if session_id := self._session_id():
            services().database.ended_sessions.end(session_id)
        session.clear()

    def has_entered(self) -> bool:
        """Whether the request has a session that nobody has ended. Raises ServiceUnavailable, and
        only the first time for a request: the page that tells it asks again."""
        if "has_entered" not in g:
            g.has_entered = False
            session_id = self._session_id()
            g.has_entered = bool(session_id) and not (
                services().database.ended_sessions.has_ended(session_id)
            )
        return bool(g.has_entered)

    def _session_id(self) -> str:
        """The id of the session that was opened with the password; empty without one."""
        mark = str(session.get(SIGNED_IN, "")).encode("utf-8", "replace")
        opened = hmac.compare_digest(mark, self._mark.encode())
        return str(session.get(SESSION_ID, "")) if opened else ""


def local_path(text: str) -> str:
    """The text if it is a path of this site, with or without a query; else `/`."""
    strange = "\\" in text or not text.isprintable() or any(letter.isspace() for letter in text)
    return text if text.startswith("/") and not text.startswith("//") and not strange else "/"


def require_password(
    app: Flask, password: str, *, tokens: Collection[str] = (), open_paths: Sequence[str]
) -> None:
    """Ask for the password, or one of the tokens, on every path that does not begin with one of
    `open_paths`."""
    gate = Gate(password, str(app.config["SECRET_KEY"]), Tries(), tokens)
    app.extensions[EXTENSION] = gate
    app.permanent_session_lifetime = LIFETIME
    app.register_blueprint(blueprint)

    @app.before_request
    def check() -> ResponseReturnValue | None:
        if request.path.startswith(tuple(open_paths)):
            return None
        return _turned_away(gate)


def _turned_away(gate: Gate) -> ResponseReturnValue | None:
    """The answer to a request without the password or a token, None to one with it. Raises
    Unauthorized, TooManyRequests, ServiceUnavailable."""
    if sends_token():  # its cookies do not count: nothing has asked which site sent it
        if gate.accepts_token(_bearer() or ""):
            return None
        raise Unauthorized(WRONG_TOKEN, www_authenticate=BAD_TOKEN)
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


def sends_token() -> bool:
    """Whether the request has a token, a right or a wrong one, and the app takes tokens."""
    gate = current_app.extensions.get(EXTENSION)
    return isinstance(gate, Gate) and gate.takes_tokens and _bearer() is not None


def _bearer() -> str | None:
    """What the request has as a Bearer token (RFC 6750); None without one."""
    given = request.authorization
    return (given.token or "") if given is not None and given.type == "bearer" else None


def is_let_in() -> bool:
    """Whether the request has a session, the right password or a token. A wrong one is counted. No
    session is known while the database is away."""
    try:
        return _turned_away(_gate()) is None
    except (Unauthorized, TooManyRequests, ServiceUnavailable):
        return False


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
    _gate().leave()
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
