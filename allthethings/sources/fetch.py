"""The only requests to URLs that people submit: probes and downloads."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace

import httpx

from allthethings.errors import ErrorCode, UnusableThing, code_of_status
from guardedfetch import Fetched, Fetcher, FetchError, Limits, TooSlow

GONE = {404, 410}
# Characters of a content type (RFC 6838, section 4.2). Each passage of an asset keeps it.
MAX_CONTENT_TYPE = 255
FIRST_BYTE = {"Range": "bytes=0-0"}
# Bytes that are enough to see what a thing is, and the request for them.
SNIFFED = 1024
FIRST_BYTES = {"Range": f"bytes=0-{SNIFFED - 1}", "Accept-Encoding": "identity"}
# Content types of servers that do not know what they send; the empty one stands for none.
UNTOLD = frozenset(
    {
        "",
        "application/binary",
        "application/download",
        "application/force-download",
        "application/octet-stream",
        "application/unknown",
        "application/x-download",
        "application/x-octet-stream",
        "binary/octet-stream",
        "unknown/unknown",
    }
)
# Limits of each request of a probe. Of a body only the beginning is read, however long it is.
LOOK = Limits(deadline=4.5, max_bytes=sys.maxsize)
DOWNLOAD = Limits(deadline=8.0)
# Bytes at the beginning of a page that are read for its title.
BEGINNING = 32 * 1024
# Seconds for all requests that a person waits for, so that the page is there within ten.
ONE_ANSWER = 8.5


@dataclass
class _Time:
    """Seconds that are left for requests."""

    left: float


_time: ContextVar[_Time] = ContextVar("time")


@dataclass(frozen=True)
class Probe:
    """What a server says: the content type without parameters, and the length in bytes if told."""

    content_type: str
    content_length: int | None


@dataclass(frozen=True)
class Download:
    """A downloaded document. `url` is where the redirects led. `charset` and `content_type` are
    what the server says; the latter has no parameters, and is empty if it says nothing."""

    url: str
    body: bytes
    charset: str | None
    content_type: str = ""


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Within it, the requests of this thread share these seconds, besides their own limits.

    Time between the requests does not count: a slow database is no reason to refuse a URL.
    """
    token = _time.set(_Time(seconds))
    try:
        yield
    finally:
        _time.reset(token)


def probe(fetcher: Fetcher, url: str, sniff: Callable[[bytes], str | None]) -> Probe:
    """Ask for the headers alone, so that the app does not download what Replicate will.

    A server that refuses HEAD is asked for the first byte. One that does not know what it sends
    is asked for the first bytes, and `sniff` tells their content type, if it can. Raises
    UnusableThing, in words.
    """
    with _request(LOOK) as limits:
        answer = fetcher.head(url, limits=limits)
    if answer.status >= 400 and answer.status not in GONE:
        with (
            _request(LOOK) as limits,
            fetcher.open(url, headers=FIRST_BYTE, limits=limits) as stream,
        ):
            answer = Fetched(stream.url, stream.status, stream.headers)
    _require_success(answer.status)
    content_type = _content_type(answer.headers)
    if content_type in UNTOLD:
        content_type = sniff(_first_bytes(fetcher, url)) or content_type
    if not 0 < len(content_type) <= MAX_CONTENT_TYPE:
        raise UnusableThing(
            "The server does not say what kind of thing this is (Content-Type).",
            ErrorCode.NO_CONTENT_TYPE,
        )
    return Probe(content_type, _length(answer.headers))


def download(fetcher: Fetcher, url: str, max_bytes: int) -> Download:
    """A document of at most so many bytes. Raises UnusableThing, in words."""
    sized = replace(DOWNLOAD, max_bytes=max_bytes, max_decompressed_bytes=max_bytes)
    with _request(sized) as limits:
        answer = fetcher.get(url, limits=limits)
    _require_success(answer.status)
    return _download(answer.url, answer.headers, answer.body)


def beginning(fetcher: Fetcher, url: str) -> Download:
    """The first bytes of a document. Raises UnusableThing, in words."""
    return _start(fetcher, url, BEGINNING)


def _first_bytes(fetcher: Fetcher, url: str) -> bytes:
    """At most SNIFFED bytes, also from a server that would send everything."""
    return _start(fetcher, url, SNIFFED, FIRST_BYTES).body


def _start(
    fetcher: Fetcher, url: str, size: int, headers: Mapping[str, str] | None = None
) -> Download:
    body = bytearray()
    with _request(LOOK) as limits, fetcher.open(url, headers=headers, limits=limits) as stream:
        _require_success(stream.status)
        for piece in stream:
            body += piece
            if len(body) >= size:
                break
        return _download(stream.url, stream.headers, bytes(body[:size]))


def _download(url: str, headers: httpx.Headers, body: bytes) -> Download:
    return Download(
        url, body, httpx.Response(200, headers=headers).charset_encoding, _content_type(headers)
    )


def _content_type(headers: httpx.Headers) -> str:
    said: str = headers.get("content-type", "")
    return said.partition(";")[0].strip().lower()


@contextlib.contextmanager
def _request(limits: Limits) -> Iterator[Limits]:
    """The limits of a request, with less time when less is left: one with none fails as too
    slow. Raises UnusableThing, in words, for what a fetch raises."""
    time_left = _time.get(_Time(math.inf))
    began = time.monotonic()
    try:
        yield replace(limits, deadline=max(0.0, min(limits.deadline, round(time_left.left, 1))))
    except FetchError as error:
        if isinstance(error, TooSlow) and time.monotonic() - began >= time_left.left - 0.1:
            words = "The server took too long over all requests."
            raise UnusableThing(words, ErrorCode.TOO_SLOW) from error
        raise UnusableThing(f"{error}.", ErrorCode(error.code.value)) from error
    finally:
        time_left.left -= time.monotonic() - began


def _require_success(status: int) -> None:
    if 200 <= status < 300:
        return
    code = code_of_status(status)
    said = f"The server answered {status}."
    if code is ErrorCode.NOT_FOUND:
        said = f"There is nothing at this URL: the server answered {status}."
    raise UnusableThing(said, code)


def _length(headers: httpx.Headers) -> int | None:
    """Content-Length, or the size behind the slash of Content-Range: bytes 0-0/1234."""
    size = headers.get("content-range", "").rpartition("/")[2] or headers.get("content-length", "")
    return int(size) if size.isascii() and size.isdigit() and len(size) < 16 else None
