"""The only requests to URLs that people submit: probes and downloads."""

from __future__ import annotations

import contextlib
import hashlib
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from email.message import Message
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from urllib.parse import unquote, urlsplit

import httpx

from allthethings.assets.looks import Version, validator
from allthethings.errors import ErrorCode, UnusableThing, code_of_status
from guardedfetch import Fetched, Fetcher, FetchError, Limits, Stream, TooSlow

GONE = {404, 410}
# Characters of a content type (RFC 6838, section 4.2). Each passage of an asset keeps it.
MAX_CONTENT_TYPE = 255
FIRST_BYTE = {"Range": "bytes=0-0"}
# Bytes that are enough to see what a thing is, and the request for them.
SNIFFED = 4096
FIRST_BYTES = {"Range": f"bytes=0-{SNIFFED - 1}", "Accept-Encoding": "identity"}
# Limits of each request of a probe. Of a body only the beginning is read, however long it is.
LOOK = Limits(deadline=4.5, max_bytes=sys.maxsize)
DOWNLOAD = Limits(deadline=8.0)
PART = Limits(deadline=3.0, max_bytes=sys.maxsize)
# Of what a thing does without, so that the time is left for what it needs.
QUICK_LOOK = Limits(deadline=2.5, max_bytes=sys.maxsize)
# Bytes at the beginning of a page that are read for its title and its canonical URL.
BEGINNING = 32 * 1024
# Seconds for all requests that a person waits for, so that the page is there within ten.
ONE_ANSWER = 8.5


# The content type of a thing: of what its server calls it, the names it may have as a file, and a
# function that gets its first bytes.
Recognise = Callable[[str, Sequence[str], Callable[[], bytes]], str]


@dataclass
class _Time:
    """Seconds that are left for requests."""

    left: float


_time: ContextVar[_Time] = ContextVar("time")


@dataclass(frozen=True)
class Probe:
    """What a thing is: its content type without parameters, and its length in bytes if told.
    `misnamed` is what its server calls it, where that is wrong. `url` is where permanent redirects
    lead. `version` is what the server says of the version that is there now."""

    url: str
    content_type: str
    content_length: int | None
    misnamed: str | None = None
    version: Version = field(default_factory=Version)


@dataclass(frozen=True)
class Download:
    """A downloaded document. `url` is where the redirects led. `charset` and `content_type` are
    what the server says; the latter has no parameters, and is empty if it says nothing. `version`
    is that of a whole document."""

    url: str
    body: bytes
    charset: str | None
    content_type: str = ""
    version: Version = field(default_factory=Version)


@dataclass(frozen=True)
class Part:
    """Some bytes of a file. `size` is how many the file has, if told; `partial` is whether the
    server sends parts of it at all."""

    body: bytes
    size: int | None
    partial: bool


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


def probe(fetcher: Fetcher, url: str, recognise: Recognise) -> Probe:
    """Ask for the headers alone, so that the app does not download what Replicate will.

    A server that refuses HEAD is asked for the first byte. `recognise` may ask for the first bytes
    too. Raises UnusableThing, in words.
    """
    with limited(LOOK) as limits:
        answer = fetcher.head(url, limits=limits)
    if answer.status >= 400 and answer.status not in GONE:
        with (
            limited(LOOK) as limits,
            fetcher.open(url, headers=FIRST_BYTE, limits=limits) as stream,
        ):
            answer = stream.fetched()
    require_success(answer.status)
    told = content_type_of(answer.headers)
    names = names_of(answer.headers, url, answer.url)
    content_type = recognise(told, names, lambda: _first_bytes(fetcher, url))
    if not 0 < len(content_type) <= MAX_CONTENT_TYPE:
        raise UnusableThing(
            "The server does not say what kind of thing this is (Content-Type).",
            ErrorCode.NO_CONTENT_TYPE,
        )
    misnamed = told if told and told != content_type else None
    version = version_of(answer.headers)
    return Probe(answer.permanent_url, content_type, version.length, misnamed, version)


def names_of(headers: httpx.Headers, *urls: str) -> list[str]:
    """The names that a thing may have as a file: what its server calls it (RFC 6266), and the ends
    of URLs."""
    message = Message()
    message["Content-Disposition"] = headers.get("content-disposition", "")
    ends = [unquote(urlsplit(url).path).rpartition("/")[2] for url in urls]
    return [name for name in (message.get_filename(), *ends) if name]


def download(fetcher: Fetcher, url: str, max_bytes: int) -> Download:
    """A document of at most so many bytes. Raises UnusableThing, in words."""
    sized = replace(DOWNLOAD, max_bytes=max_bytes, max_decompressed_bytes=max_bytes)
    with limited(sized) as limits:
        answer = fetcher.get(url, limits=limits)
    require_success(answer.status)
    return whole(answer)


def beginning(fetcher: Fetcher, url: str) -> Download:
    """The first bytes of a document. Raises UnusableThing, in words."""
    return _start(fetcher, url, BEGINNING, limits=QUICK_LOOK)


def part(fetcher: Fetcher, url: str, start: int, count: int) -> Part:
    """At most so many bytes of a file. Raises UnusableThing, in words, also where `start` is not
    0 and the server sends whole files alone."""
    asked = {"Range": f"bytes={start}-{start + count - 1}", "Accept-Encoding": "identity"}
    with limited(PART) as limits, fetcher.open(url, headers=asked, limits=limits) as stream:
        require_success(stream.status)
        said: str = stream.headers.get("content-range", "")
        partial = stream.status == 206 and said.strip().startswith(f"bytes {start}-")
        if start and not partial:
            raise UnusableThing("The server sends no parts of this file.")
        return Part(_taken(stream, count), length_of(stream.headers), partial)


def _first_bytes(fetcher: Fetcher, url: str) -> bytes:
    """At most SNIFFED bytes, also from a server that would send everything."""
    return _start(fetcher, url, SNIFFED, FIRST_BYTES).body


def _start(
    fetcher: Fetcher,
    url: str,
    size: int,
    headers: Mapping[str, str] | None = None,
    limits: Limits = LOOK,
) -> Download:
    with limited(limits) as limits, fetcher.open(url, headers=headers, limits=limits) as stream:
        require_success(stream.status)
        return document_of(stream.url, stream.headers, _taken(stream, size))


def _taken(stream: Stream, size: int) -> bytes:
    """At most so many bytes of an answer. The rest is not read."""
    body = bytearray()
    for piece in stream:
        body += piece
        if len(body) >= size:
            break
    return bytes(body[:size])


def document_of(url: str, headers: httpx.Headers, body: bytes) -> Download:
    """A document, or the beginning of one."""
    return Download(
        url, body, httpx.Response(200, headers=headers).charset_encoding, content_type_of(headers)
    )


def whole(answer: Fetched) -> Download:
    """The document in an answer, with its version."""
    digest = hashlib.sha256(answer.body).hexdigest()
    version = replace(version_of(answer.headers), length=len(answer.body), digest=digest)
    return replace(document_of(answer.url, answer.headers, answer.body), version=version)


def version_of(headers: httpx.Headers) -> Version:
    """What a server says of the version that it sends."""
    etag, last_modified = (validator(headers.get(name)) for name in ("etag", "last-modified"))
    return Version(etag, last_modified, length_of(headers))


def content_type_of(headers: httpx.Headers) -> str:
    """In lower case, without parameters; empty if the server says nothing."""
    said: str = headers.get("content-type", "")
    return said.partition(";")[0].strip().lower()


@contextlib.contextmanager
def limited(limits: Limits) -> Iterator[Limits]:
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


class AskedToWait(UnusableThing):
    """A server asks not to be asked again for so many seconds."""

    def __init__(self, message: str, code: ErrorCode, seconds: float) -> None:
        super().__init__(message, code)
        self.seconds = seconds


def require_success(status: int, headers: Mapping[str, str] = MappingProxyType({})) -> None:
    """Raises UnusableThing, in words, for any status but 2xx: AskedToWait where the answer's
    headers say how long to wait."""
    if 200 <= status < 300:
        return
    code = code_of_status(status)
    said = f"The server answered {status}."
    if code is ErrorCode.NOT_FOUND:
        said = f"There is nothing at this URL: the server answered {status}."
    if code.retryable and (seconds := seconds_of(headers.get("retry-after", ""))):
        raise AskedToWait(said, code, seconds)
    raise UnusableThing(said, code)


def seconds_of(retry_after: str) -> float | None:
    """The seconds to wait that a Retry-After asks for (RFC 9110, section 10.2.3); None for what is
    none."""
    told = retry_after.strip()
    if told.isascii() and told.isdigit() and len(told) < 10:
        return float(told)
    with contextlib.suppress(ValueError, OverflowError):
        until = parsedate_to_datetime(told)
        return max(0.0, until.timestamp() - time.time())
    return None


def length_of(headers: httpx.Headers) -> int | None:
    """Content-Length, or the size behind the slash of Content-Range: bytes 0-0/1234."""
    size = headers.get("content-range", "").rpartition("/")[2] or headers.get("content-length", "")
    return int(size) if size.isascii() and size.isdigit() and len(size) < 16 else None
