"""The tags of recordings and videos: ID3, Vorbis comments, the atoms of MP4, and others.

Only the parts of a file that tinytag asks for are downloaded. It reads them in the sandbox.
"""

from __future__ import annotations

import io
import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from allthethings.assets.facts import Facts, day_of
from allthethings.assets.languages import UNDETERMINED, code_of
from allthethings.errors import UnusableThing
from allthethings.processors.sandbox import Crashed, Starved, run_within
from allthethings.sources.fetch import Part
from allthethings.sources.markup import MAX_TITLE

log = logging.getLogger(__name__)

# Bytes that are downloaded first, and of each further part. Most files have their tags within the
# first part; an MP4 may have them at its end, and pictures may stand before them.
HEAD = 128 * 1024
PART = 32 * 1024
# Parts besides the first, and seconds after which no further one is asked for.
MAX_PARTS = 8
SECONDS = 4.0
# CPU seconds to read what was downloaded.
READ_SECONDS = 3
# Titles that programs put into files by themselves, and the end of a file's name used as one.
NO_TITLE = re.compile(r"(?i)untitled.*|unknown.*|(?:audio ?)?track ?\d*")
FILE_SUFFIX = re.compile(
    r"(?i)(?<=.)\.(?:aac|aiff?|flac|m4[abv]|mkv|mov|mp[34]|og[agv]|opus|wav|webm)$"
)
# The files whose length stands at their end alone: to find it, tinytag reads all of it.
OGG = b"OggS"

# A part of a file: where it begins, and how many bytes it has at most.
Look = Callable[[int, int], Part]


@dataclass
class Sparse(io.RawIOBase):
    """A file of `size` bytes of which only some parts are there, by their first byte.

    At the first byte that is not there the file seems to end, and `missing` remembers it.
    """

    size: int
    parts: Mapping[int, bytes]
    missing: int | None = None
    _at: int = field(default=0, repr=False)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        if place < 0:
            raise OSError("before the beginning of the file")
        self._at = place
        return place

    def read(self, count: int | None = -1) -> bytes:
        end = self.size if count is None or count < 0 else min(self.size, self._at + count)
        found = bytearray()
        while self._at < end:
            piece = self._here(end)
            if not piece:
                self.missing = self._at if self.missing is None else self.missing
                break
            found += piece
            self._at += len(piece)
        return bytes(found)

    def _here(self, end: int) -> bytes:
        """What is there from the present place on, up to `end`."""
        for start, part in self.parts.items():
            if start <= self._at < start + len(part):
                return part[self._at - start : end - start]
        return b""


def tags_of(look: Look) -> Facts:
    """What a recording or a video tells of itself; nothing where that cannot be read. Raises
    UnusableThing where the first part cannot be downloaded."""
    began = time.monotonic()
    first = look(0, HEAD)
    size, parts = first.size or len(first.body), {0: first.body}
    most = MAX_PARTS if first.partial and not first.body.startswith(OGG) else 0
    while True:
        facts, missing = _read(size, parts)
        if missing is None or len(parts) > most or time.monotonic() - began > SECONDS:
            return facts
        try:
            parts[missing] = look(missing, PART).body
        except UnusableThing as error:
            log.info("no more tags: %s", error)
            return facts


def _read(size: int, parts: Mapping[int, bytes]) -> tuple[Facts, int | None]:
    try:
        return run_within(READ_SECONDS, read, size, parts)
    except (Starved, Crashed, TimeoutError, MemoryError, ChildProcessError) as error:
        log.warning("the tags of a file could not be read: %r", error)
        return Facts(), None


def read(size: int, parts: Mapping[int, bytes]) -> tuple[Facts, int | None]:
    """What the parts of a file of that size tell, and the first byte that was missing, if any.
    No duration then: it may be that of the parts alone."""
    from tinytag import TinyTag, TinyTagException

    file = Sparse(size, parts)
    try:
        tags = TinyTag.get(file_obj=file)  # type: ignore[arg-type]  # it reads, seeks and tells
    except TinyTagException:
        return Facts(), file.missing
    facts = Facts(
        _title(tags.title),
        _line(tags.artist or tags.albumartist or tags.composer),
        day_of(tags.year),
        round(tags.duration, 1) if tags.duration and file.missing is None else None,
        _language(tags.other.get("language", ())),
    )
    return facts, file.missing


def _language(told: Iterable[str]) -> str | None:
    """The first language that is one."""
    return next(
        (code for each in told if (code := code_of(each)) not in (None, UNDETERMINED)), None
    )


def _line(told: str | None) -> str | None:
    return " ".join((told or "").split())[:MAX_TITLE].strip() or None


def _title(told: str | None) -> str | None:
    """The title that the file tells, unless a program made it up."""
    title = FILE_SUFFIX.sub("", _line(told) or "")
    return None if NO_TITLE.fullmatch(title) else title or None
