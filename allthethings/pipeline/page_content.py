"""What a document says besides its scanned pages, as it is stored while those are read."""

from __future__ import annotations

from allthethings.assets.locators import WHOLE, Page
from allthethings.assets.looks import Version
from allthethings.assets.passages import Piece
from allthethings.errors import ErrorCode, UnusableThing
from allthethings.processors import Content
from allthethings.processors.document_processor import PagedProcessor
from allthethings.store.documents import Document
from allthethings.store.scans import Reading


def packed(content: Content) -> Document:
    """What a document says besides its scanned pages, for storage."""
    pieces = [[piece.text, piece.locator.stored().get("page")] for piece in content.pieces]
    told = {name: getattr(content, name) for name in ("title", "author", "dated", "remark")}
    version = content.version.stored() if content.version else None
    return {"pieces": pieces, "version": version, **told}


def unpacked(reading: Reading, processor: PagedProcessor) -> Content:
    """Everything together. Raises UnusableThing where no page has text."""
    rest = dict(reading.rest)
    pieces = tuple(Piece(text, Page(page) if page else WHOLE) for text, page in rest.pop("pieces"))
    version = Version.read(rest.pop("version"))
    failed = {page: sentence for page, (sentence, _code) in reading.errors.items()}
    content = processor.joined(Content(pieces, "", version=version, **rest), reading.texts, failed)
    if content.pieces:
        return content
    if not reading.errors:
        raise UnusableThing(processor.no_text, ErrorCode.NO_TEXT)
    sentence, code = reading.errors[min(reading.errors)]
    raise UnusableThing(f"None of its pages could be read. {sentence}", code)
