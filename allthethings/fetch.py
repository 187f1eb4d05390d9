"""The one way out to the URLs that people submit: look at a thing, and download a document."""

from __future__ import annotations

from dataclasses import dataclass

import httpx

from allthethings.errors import UnusableThing
from guardedfetch import Fetched, Fetcher, FetchError, Limits

GONE = {404, 410}
LOOK = Limits(deadline=4.5)
"""For each of the two requests of a probe: together they stay under ten seconds."""
MAX_DOCUMENT_BYTES = 20 * 1024 * 1024


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


def probe(fetcher: Fetcher, url: str) -> Probe:
    """Ask for the headers alone, so that the app does not download what Replicate will.

    A server that refuses HEAD is asked for the first byte. Raises UnusableThing, in words.
    """
    try:
        answer = fetcher.head(url, limits=LOOK)
        if answer.status >= 400 and answer.status not in GONE:
            with fetcher.open(url, headers={"Range": "bytes=0-0"}, limits=LOOK) as stream:
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
    limits = Limits(max_bytes=MAX_DOCUMENT_BYTES, max_decompressed_bytes=MAX_DOCUMENT_BYTES)
    try:
        answer = fetcher.get(url, limits=limits)
    except FetchError as error:
        raise _in_words(error) from error
    _require_success(answer.status)
    charset = httpx.Response(200, headers=answer.headers).charset_encoding
    return Document(answer.url, answer.body, charset)


def _in_words(error: FetchError) -> UnusableThing:
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
