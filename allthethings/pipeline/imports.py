"""Many URLs at once, typed or in a file: each is judged and answered on its own."""

from __future__ import annotations

import codecs
import logging
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from enum import StrEnum

from allthethings.assets.asset import Asset
from allthethings.assets.urls import clean_url, url_key
from allthethings.errors import BadInput, IndexingError, ServiceUnavailable
from allthethings.pipeline.submission import Preview, Submission
from allthethings.processors.sandbox import Starved, run_within
from allthethings.sources.markup import addresses_in
from allthethings.store.transitions import AlreadyIndexed

log = logging.getLogger(__name__)

# URLs of one request that are looked at; the rest are answered with NOT_YET.
MAX_URLS = 200
# URLs that one process looks at at the same time.
MAX_LOOKS = 8
# Seconds after which a request looks at no further URL. One that was begun by then is answered
# before ANSWER_SECONDS are over.
LAST_LOOK_SECONDS = 16.0
# Seconds after which a request is answered, whatever is still under way.
ANSWER_SECONDS = 25.0
# CPU seconds to read a file of bookmarks.
FILE_SECONDS = 10

# Bytes at the beginning of a file that show whether it holds bookmarks.
TOP = 64 * 1024
BOOKMARKS = re.compile(rb"<!doctype netscape-bookmark|<a\s[^>]{0,200}href", re.IGNORECASE)
# Ends of lines. Unicode has more of them, which a text field does not show as such.
NEW_LINE = re.compile(r"\r\n|\r|\n")
SCHEME = re.compile(r"(?!https?:)[a-z][a-z0-9+.-]*:", re.IGNORECASE)
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


UNEXPECTED = "Something went wrong in this app; its log has the details."


class Outcome(StrEnum):
    """What became of a URL. `READY` is the answer of a check for a URL that can be indexed."""

    INDEXED = "indexed"
    KNOWN = "already indexed"
    READY = "can be indexed"
    REFUSED = "refused"
    NOT_YET = "not looked at yet"


@dataclass(frozen=True)
class Answer:
    """The answer for one URL.

    `code` is the HTTP status with which the URL alone would be answered. `times` counts its
    lines in the list, in any spelling.
    """

    url: str
    outcome: Outcome
    message: str
    code: int
    asset: Asset | None = None
    preview: Preview | None = None
    times: int = 1


@dataclass(frozen=True)
class Listed:
    """The URLs of a list or a file. `left_out` counts its links that are no http or https URLs."""

    lines: Sequence[str] = field(default=())
    left_out: int = 0


Judge = Callable[[str], Answer]


class Imports:
    """Indexes and checks lists of URLs. One serves any number of threads."""

    def __init__(self, submission: Submission) -> None:
        self._submission = submission
        self._threads = ThreadPoolExecutor(MAX_LOOKS, thread_name_prefix="imports")

    def index(self, lines: Sequence[str]) -> list[Answer]:
        """Index each URL. One answer for all spellings of a URL, in the order of the lines."""
        return self._judge(lines, self._index)

    def check(self, lines: Sequence[str]) -> list[Answer]:
        """As `index`, but nothing is stored."""
        return self._judge(lines, self._check)

    def _index(self, url: str) -> Answer:
        asset = self._submission.submit(url)
        return Answer(asset.url, Outcome.INDEXED, f"Indexing {asset.url}", 201, asset)

    def _check(self, url: str) -> Answer:
        preview = self._submission.check(url)
        return Answer(preview.url, Outcome.READY, "It can be indexed.", 200, preview=preview)

    def _judge(self, lines: Sequence[str], judge: Judge) -> list[Answer]:
        began = time.monotonic()

        def look(url: str) -> Answer:
            if time.monotonic() - began > LAST_LOOK_SECONDS:
                return _not_yet(url)
            return _answered(url, judge)

        named = _once(lines)
        urls = list(named)
        looks = [self._threads.submit(look, named[key][0]) for key in urls[:MAX_URLS]]
        wait(looks, began + ANSWER_SECONDS - time.monotonic())
        answers = [
            replace(_outcome(looking, named[key][0]), times=len(named[key]))
            for looking, key in zip(looks, urls, strict=False)
        ]
        rest = [named[key] for key in urls[MAX_URLS:]]
        return answers + [replace(_not_yet(each[0]), times=len(each)) for each in rest]


def lines_of(text: str) -> list[str]:
    """The lines that are neither empty nor comments, which begin with #."""
    lines = (line.strip() for line in NEW_LINE.split(text))
    return [line for line in lines if line and not line.startswith("#")]


def listed_in(file: bytes) -> Listed:
    """The URLs in a text file or in exported bookmarks. Raises BadInput, ServiceUnavailable."""
    if not BOOKMARKS.search(file, 0, TOP):
        return Listed(lines_of(_text(file)))
    try:
        addresses = run_within(FILE_SECONDS, addresses_in, file)
    except Starved as error:
        raise ServiceUnavailable("The file reader", "this machine is too busy") from error
    except (TimeoutError, MemoryError, ChildProcessError) as error:
        raise BadInput("This bookmarks file is too complex to read.") from error
    lines = [address for address in addresses if not SCHEME.match(address)]
    return Listed(lines, len(addresses) - len(lines))


def _text(file: bytes) -> str:
    for sign, encoding in BYTE_ORDER_MARKS:
        if file.startswith(sign):
            return file.decode(encoding, "replace")
    if b"\0" in file:
        raise BadInput("This file is neither text nor exported bookmarks.")
    try:
        return file.decode("utf-8")
    except UnicodeDecodeError:
        return file.decode("latin-1")


def _once(lines: Sequence[str]) -> dict[str, list[str]]:
    """The lines by their URL's key, each with all its spellings."""
    named: dict[str, list[str]] = {}
    for line in lines:
        try:
            key = url_key(clean_url(line))
        except BadInput:
            key = line
        named.setdefault(key, []).append(line)
    return named


def _answered(url: str, judge: Judge) -> Answer:
    """The answer for one URL, whatever goes wrong with it: the others still get theirs."""
    try:
        return judge(url)
    except AlreadyIndexed as error:
        return Answer(url, Outcome.KNOWN, str(error), 200, error.asset)
    except IndexingError as error:
        code = 503 if isinstance(error, ServiceUnavailable) else 422
        return Answer(url, Outcome.REFUSED, error.refusal, code)
    except Exception:
        log.exception("no answer for %r", url)
        return Answer(url, Outcome.REFUSED, UNEXPECTED, 500)


def _outcome(looking: Future[Answer], url: str) -> Answer:
    if looking.done():
        return looking.result()
    if looking.cancel():
        return _not_yet(url)
    words = "It takes longer than the others. Send it again to see the result."
    return Answer(url, Outcome.NOT_YET, words, 503)


def _not_yet(url: str) -> Answer:
    return Answer(url, Outcome.NOT_YET, "There was no time left to look at it. Send it again.", 503)
