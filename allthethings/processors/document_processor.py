"""Documents that the app downloads and reads itself, in a process of their own."""

from __future__ import annotations

import contextlib
import logging
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from allthethings.assets.asset import Asset
from allthethings.errors import ErrorCode, UnusableThing
from allthethings.processors.language import language_in_sandbox
from allthethings.processors.magic import CONTAINERS, type_of
from allthethings.processors.processor import (
    Content,
    Model,
    Processor,
    Requested,
    Tools,
    Words,
)
from allthethings.processors.sandbox import MEMORY, Crashed, Starved, run_within
from allthethings.sources.fetch import SNIFFED, Download

log = logging.getLogger(__name__)

# CPU seconds to read one document. A page of half a million words takes about 5.
READ_SECONDS = 15
# CPU seconds to draw one page. A page of A4 takes a tenth of a second.
DRAW_SECONDS = 5


class DocumentProcessor(Processor):
    """A kind that the app downloads and reads itself, in a process of its own. Subclasses give
    `parse`, and the words for what can go wrong."""

    max_bytes: ClassVar[int]
    words: ClassVar[Words] = Words(submitted="Being read", running="Being read", share="{:.0%}")
    steps: ClassVar[tuple[int, int, int, int]] = (5, 5, 25, 28)
    # The sentence for a document without text.
    no_text: ClassVar[str]

    @staticmethod
    @abstractmethod
    def parse(document: Download) -> Content:
        """The content of a document; no pieces where there is no text. May raise anything."""

    def process(self, asset: Asset) -> Content:
        """Download it and read it, as what it was recognised as."""
        document = self._download(asset)
        return replace(self.read(document), version=document.version)

    def _download(self, asset: Asset) -> Download:
        document = self._tools.download(asset.url, self.max_bytes)
        return replace(document, content_type=asset.content_type)

    def find(self, asset: Asset) -> Requested | None:  # noqa: ARG002 - no model was asked
        """Nothing: no model was asked."""
        return None

    def read(self, output: Download) -> Content:
        """What the document says. Raises UnusableThing."""
        try:
            with said_in_words(self.noun, output.url):
                content = run_within(READ_SECONDS, _parsed, self.parse, output)
        except UnusableThing:
            raise
        except Exception as error:  # a parser of what strangers wrote: anything may come
            log.exception("the %s at %s cannot be parsed", self.noun, output.url)
            self._refuse_mislabelled(output)
            raise UnusableThing(f"This {self.noun} could not be read.") from error
        if not content.pieces and not content.scanned:
            self._refuse_mislabelled(output)
            raise UnusableThing(self.no_text, ErrorCode.NO_TEXT)
        return content

    def _refuse_mislabelled(self, document: Download) -> None:
        """Name a wrong content type as the cause, if that is it. Raises UnusableThing."""
        first = document.body[:SNIFFED]
        found = None if self.sniff(first) else type_of(first)
        told = document.content_type
        if found and found not in CONTAINERS and told and not self.takes(found):
            raise UnusableThing(
                f"Its server calls this {told}, but it is {found}.",
                ErrorCode.MISLABELLED,
            )


class PagedProcessor(DocumentProcessor):
    """A kind whose pages may be pictures of text, which `page_model` reads one by one.

    Each object serves one document, which it downloads once.
    """

    page_model: ClassVar[Model]

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self._downloaded: Download | None = None

    def _download(self, asset: Asset) -> Download:
        if self._downloaded is None:
            self._downloaded = super()._download(asset)
        return self._downloaded

    def draw(self, asset: Asset, page: int) -> bytes:
        """A page of `Content.scanned` as a JPEG. Raises UnusableThing where the document cannot
        be downloaded, PageNotDrawn where the page cannot be drawn."""
        body = self._download(asset).body
        try:
            return run_within(DRAW_SECONDS, self.drawn, body, page)
        except Starved as error:
            raise UnusableThing(
                "This machine was too busy to render its pages.", ErrorCode.MACHINE_BUSY
            ) from error
        except Exception as error:  # a parser of what strangers wrote: anything may come
            log.warning("page %d of %s cannot be drawn: %r", page, asset.url, error)
            raise PageNotDrawn("It is damaged, or takes too long to render.") from error

    @staticmethod
    @abstractmethod
    def drawn(body: bytes, page: int) -> bytes:
        """A page, counted from 1, of a document, as a JPEG. May raise anything."""

    @staticmethod
    @abstractmethod
    def joined(content: Content, read: Mapping[int, str], failed: Mapping[int, str]) -> Content:
        """The content with the texts of its scanned pages, by their numbers. `failed` has a
        sentence for each of them that could not be read."""

    @staticmethod
    @abstractmethod
    def text_in(output: Any) -> str:
        """The text in an output of `page_model`. Raises UnusableThing."""


class PageNotDrawn(Exception):
    """A page cannot be shown to the model; the others may. `str(error)` is a sentence."""


@contextlib.contextmanager
def said_in_words(noun: str, url: str) -> Iterator[None]:
    """Within it, what the sandbox raises of its own is an UnusableThing, with a sentence about the
    thing at that URL."""
    try:
        yield
    except Starved as error:
        raise UnusableThing(
            f"This machine was too busy to read the {noun}.", ErrorCode.MACHINE_BUSY
        ) from error
    except ChildProcessError as error:
        raise UnusableThing(
            f"The process that read this {noun} was killed.", ErrorCode.PARSER_KILLED
        ) from error
    except TimeoutError as error:
        raise UnusableThing(
            f"This {noun} takes more than {READ_SECONDS} seconds to read.",
            ErrorCode.DOCUMENT_TOO_COMPLEX,
        ) from error
    except MemoryError as error:
        raise UnusableThing(
            f"This {noun} takes more than {MEMORY >> 20:,} MB of memory to read.",
            ErrorCode.DOCUMENT_TOO_COMPLEX,
        ) from error
    except Crashed as error:
        log.exception("the %s at %s crashes its parser", noun, url)
        raise UnusableThing(
            f"This {noun} is damaged, or takes more than {MEMORY >> 20:,} MB of memory.",
            ErrorCode.DOCUMENT_TOO_COMPLEX,
        ) from error


def _parsed(parse: Callable[[Download], Content], document: Download) -> Content:
    """What `parse` returns, with its language. A text too long does not leave its process."""
    content = parse(document)
    content.require_storable()
    if content.scanned:  # most of its text is yet to come
        return content
    return replace(content, language=language_in_sandbox(content.text))
