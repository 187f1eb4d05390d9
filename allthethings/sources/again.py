"""Conditional requests (RFC 9110, section 13) for things that were read before."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from allthethings.assets.looks import Version
from allthethings.sources.fetch import (
    DOWNLOAD,
    FIRST_BYTE,
    GONE,
    LOOK,
    SNIFFED,
    Download,
    Recognise,
    content_type_of,
    limited,
    names_of,
    part,
    require_success,
    version_of,
    whole,
)
from guardedfetch import Fetcher

NOT_MODIFIED = 304
# Bytes at the beginning of a file that stand for it where its server makes each ETag anew.
SAMPLE = 64 * 1024


@dataclass(frozen=True)
class Seen:
    """What a server says of a thing that was read before.

    `url` is the one that was asked, and `permanent_url` where permanent redirects lead from there.
    `version` is the present one; `unchanged` is whether that is the one that was read, None where
    the server contradicts itself. `content_type` is what the thing is recognised as, or what its
    server calls it where it was not downloaded; empty if that is not known. `document` is there if
    it was.
    """

    url: str
    permanent_url: str
    version: Version
    unchanged: bool | None
    content_type: str = ""
    document: Download | None = None


def download_again(
    fetcher: Fetcher, url: str, max_bytes: int, known: Version, recognise: Recognise
) -> Seen:
    """Download a document of at most so many bytes if it has changed. Its content type is what it
    is recognised as. Raises UnusableThing, in words."""
    sized = replace(DOWNLOAD, max_bytes=max_bytes, max_decompressed_bytes=max_bytes)
    with limited(sized) as limits:
        answer = fetcher.get(url, known.conditions(), limits)
    if answer.status == NOT_MODIFIED and known.has_validators:
        return Seen(url, answer.permanent_url, known, unchanged=True)
    require_success(answer.status, answer.headers)
    document = whole(answer)
    same = document.version.digest == known.digest
    told, names = content_type_of(answer.headers), names_of(answer.headers, url, answer.url)
    content_type = recognise(told, names, lambda: answer.body[:SNIFFED])
    document = replace(document, content_type=content_type)
    return Seen(url, answer.permanent_url, document.version, same, content_type, document)


def ask_again(fetcher: Fetcher, url: str, known: Version) -> Seen:
    """Ask for the headers of a file alone, as `probe` does. Raises UnusableThing, in words."""
    conditions = known.conditions()
    with limited(LOOK) as limits:
        answer = fetcher.head(url, conditions, limits)
    if answer.status >= 400 and answer.status not in GONE:
        with (
            limited(LOOK) as limits,
            fetcher.open(url, headers={**FIRST_BYTE, **conditions}, limits=limits) as stream,
        ):
            answer = stream.fetched()
    if answer.status == NOT_MODIFIED and known.has_validators:
        return Seen(url, answer.permanent_url, known, unchanged=True)
    require_success(answer.status, answer.headers)
    version = version_of(answer.headers)
    told = content_type_of(answer.headers)
    return Seen(url, answer.permanent_url, version, known.same_file(version), told)


def sample(fetcher: Fetcher, url: str) -> str:
    """A hash of the first bytes of a file and of its length. Raises UnusableThing, in words."""
    first = part(fetcher, url, 0, SAMPLE)
    return hashlib.sha256(b"%d " % (first.size or 0) + first.body).hexdigest()
