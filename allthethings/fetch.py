"""The one way out to the URLs that people submit: look at a thing, and download a document."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, replace

import httpx

from allthethings.errors import UnusableThing
from guardedfetch import Fetched, Fetcher, FetchError, Limits, TooSlow

GONE = {404, 410}
FIRST_BYTE = {"Range": "bytes=0-0"}
MAX_DOCUMENT_BYTES = 20 * 1024 * 1024
LOOK = Limits(deadline=4.5)
"""For each of the two requests of a probe."""
DOWNLOAD = Limits(
    deadline=8.0, max_bytes=MAX_DOCUMENT_BYTES, max_decompressed_bytes=MAX_DOCUMENT_BYTES
)
ONE_ANSWER = 9.0
"""Seconds for all requests that a person waits for: the page is there within ten."""

_end: ContextVar[float] = ContextVar("end")


@dataclass(frozen=True)
class Probe:
    """What a server says of a thing: its type without parameters, its bytes if told."""

    content_type: str
    content_length: int | None


@dataclass(frozen=True)
class Document:
    """A downloaded thing; `url` is where the redirects led."""

    url: str
    body: bytes
    charset: str | None


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Requests of this thread inside share the time, each within its own limits too."""
    token = _end.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _end.reset(token)


def probe(fetcher: Fetcher, url: str) -> Probe:
    """Ask for the headers alone, so that the app does not download what Replicate will.

    A server that refuses HEAD is asked for the first byte. Raises UnusableThing, in words.
    """
    try:
        answer = fetcher.head(url, limits=_in_time(LOOK))
        if answer.status >= 400 and answer.status not in GONE:
            with fetcher.open(url, headers=FIRST_BYTE, limits=_in_time(LOOK)) as stream:
                answer = Fetched(stream.url, stream.status, stream.headers)
    except FetchError as error:
        raise _in_words(error) from error
    _require_success(answer.status)
    content_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not content_type:
        raise UnusableThing("The server does not say what kind of thing this is (Content-Type).")
    return Probe(content_type, _length(answer.headers))


def download(fetcher: Fetcher, url: str) -> Document:
    """The bytes of a document of at most 20 MiB. Raises UnusableThing, in words."""
    try:
        answer = fetcher.get(url, limits=_in_time(DOWNLOAD))
    except FetchError as error:
        raise _in_words(error) from error
    _require_success(answer.status)
    charset = httpx.Response(200, headers=answer.headers).charset_encoding
    return Document(answer.url, answer.body, charset)


def _in_time(limits: Limits) -> Limits:
    """The limits, with less time when less is left: a fetch with none fails as too slow."""
    left = _end.get(math.inf) - time.monotonic()
    return replace(limits, deadline=max(0.0, min(limits.deadline, round(left, 1))))


def _in_words(error: FetchError) -> UnusableThing:
    if isinstance(error, TooSlow) and time.monotonic() >= _end.get(math.inf) - 0.1:
        return UnusableThing("The server took too long over all requests.", retryable=True)
    return UnusableThing(f"{error}.", retryable=not error.permanent)


def _require_success(status: int) -> None:
    if status in GONE:
        raise UnusableThing(f"There is nothing at this URL: the server answered {status}.")
    if not 200 <= status < 300:
        raise UnusableThing(f"The server answered {status}.", retryable=status >= 500)


def _length(headers: httpx.Headers) -> int | None:
    """Content-Length, or the size behind the slash of Content-Range: bytes 0-0/1234."""
    size = headers.get("content-range", "").rpartition("/")[2] or headers.get("content-length", "")
    return int(size) if size.isascii() and size.isdigit() and len(size) < 16 else None
