"""Pictures with text, through a model on Replicate that reads it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

from allthethings.assets.asset import Asset
from allthethings.assets.facts import Facts
from allthethings.assets.locators import Heading, Lines, Page
from allthethings.assets.passages import Piece
from allthethings.errors import ErrorCode, RequestRefused, UnusableThing
from allthethings.processors import thumbnails
from allthethings.processors.model_processor import ModelProcessor
from allthethings.processors.processor import (
    Content,
    Model,
    Requested,
    Words,
    svg,
)
from allthethings.processors.sandbox import Crashed, Starved, run_within
from allthethings.replicate.failures import output_of
from allthethings.replicate.predictions import Prediction, parse_text

log = logging.getLogger(__name__)

OCR_VERSION = "a524caeaa23495bc9edc805ab08ab5fe943afd3febed884a4f3747aa32e9cd61"
# What the model is called in sentences.
READER = "The model that reads pictures"
# The sentence for a picture of which nothing can be told.
NOTHING = "This picture has no text, and no captioning model is set (CAPTION_VERSION)."
# What a remark on a picture begins with.
NO_CAPTION = "It has no caption."
# CPU seconds to make the small picture.
DRAW_SECONDS = 10
# A word that is divided at the end of a line.
DIVIDED = re.compile(r"(?<=[^\W\d_])[-\u2010\u00ad]\n(?=[a-z\u00df-\u00ff])")


class ImageProcessor(ModelProcessor):
    """A picture: the text in it, in the order of reading."""

    kind: ClassVar = "image"
    noun: ClassVar = "picture"
    accepts: ClassVar = (
        "image/png",
        "image/jpeg",
        "image/jpg",
        "image/webp",
        "image/tiff",
        "image/heic",
        "image/heif",
        "image/avif",
        "image/gif",
        "image/bmp",
        "image/x-ms-bmp",
    )
    signatures: ClassVar = {
        "image/png": rb"\x89PNG\r\n\x1a\n",
        "image/jpeg": rb"\xff\xd8\xff",
        "image/webp": rb"RIFF....WEBP",
        "image/tiff": rb"II\*\x00|MM\x00\*|II\+\x00|MM\x00\+",
        "image/avif": rb"....ftypavi[fs]",
        "image/heic": rb"....ftyp(?:hei[cmsx]|hev[cmsx]|mif1|msf1)",
        "image/gif": rb"GIF8[79]a",
        "image/bmp": rb"BM....\x00\x00\x00\x00",
    }
    suffixes: ClassVar = {
        ".png": "image/png",
        ".jpg": "image/jpeg",
        ".jpeg": "image/jpeg",
        ".jfif": "image/jpeg",
        ".webp": "image/webp",
        ".tif": "image/tiff",
        ".tiff": "image/tiff",
        ".heic": "image/heic",
        ".heif": "image/heif",
        ".avif": "image/avif",
        ".gif": "image/gif",
        ".bmp": "image/bmp",
    }
    max_bytes: ClassVar = 64 * 1024 * 1024
    model: ClassVar = Model(OCR_VERSION, webhook="image", url_input="image")
    words: ClassVar = Words(
        submitted="Being sent to the model",
        running="Being read",
        share="{:.0%} read",
    )
    mark: ClassVar = svg("M2 3h12v10H2zM2 11l4-4 3 3 2-2 3 3M10.5 5.5h.1")
    preload: ClassVar = ("allthethings.processors.thumbnails", *thumbnails.PRELOAD)

    def facts(self, asset: Asset) -> Facts:
        """What the file tells, and a small picture of it; nothing where it cannot be decoded: the
        model says why."""
        document = self._tools.download(asset.url, self.max_bytes)
        try:
            return run_within(DRAW_SECONDS, thumbnails.look, document.body)
        except (
            Starved,
            Crashed,
            TimeoutError,
            MemoryError,
            ChildProcessError,
            ValueError,
        ) as error:
            log.warning("no small picture of %s: %r", asset.url, error)
            return Facts()

    def request(self, url: str) -> dict[str, Any]:
        """The model's only input."""
        return {"image": url}

    def arrived(self, asset: Asset, prediction: Prediction) -> Content | Requested:
        """Its text, and a caption where a model for that is set."""
        if asset.draft is not None:
            return _captioned(asset.draft, prediction)
        text = parse_text(output_of(prediction), READER)
        version = self._tools.caption_version
        if not version:
            return self.read(text)
        try:
            return replace(self._ask(asset, version, {"image": asset.url_for_model}), draft=text)
        except RequestRefused as error:  # such as a version that does not exist
            return replace(self.read(text), remark=f"{NO_CAPTION} {error}")

    def read(self, output: Any) -> Content:
        """Paragraphs, which the model divides by empty lines; form feeds are between pages."""
        pieces = _pieces(parse_text(output, READER))
        if not pieces:
            raise UnusableThing(NOTHING, ErrorCode.NO_TEXT_IN_IMAGE)
        return _content(pieces)


def _captioned(draft: str, prediction: Prediction) -> Content:
    """The text of the picture, with its caption. Raises UnusableThing where there is neither."""
    pieces, remark = _pieces(draft), None
    try:
        pieces += (Piece(_caption(output_of(prediction)), Heading("Caption")),)
    except UnusableThing as error:
        if not pieces:
            raise
        remark = f"{NO_CAPTION} {error}"
    return _content(pieces, remark)


def _caption(output: Any) -> str:
    """The sentence of a captioning model, which may begin with `Caption: ` (BLIP)."""
    text = parse_text(output, "The model that captions pictures")
    caption = " ".join(text.split()).removeprefix("Caption: ").strip()
    if not caption:
        raise UnusableThing("The captioning model said nothing.", ErrorCode.MODEL_OUTPUT_UNUSABLE)
    return caption


def _content(pieces: tuple[Piece, ...], remark: str | None = None) -> Content:
    return Content(pieces, "\n\n".join(piece.text for piece in pieces), remark=remark)


def _pieces(text: str) -> tuple[Piece, ...]:
    """The paragraphs of each page."""
    pages = text.strip().split("\f")
    several = len(pages) > 1
    return tuple(
        Piece(words, Page(number) if several else lines)
        for number, page in enumerate(pages, 1)
        for words, lines in paragraphs_of(page)
    )


def paragraphs_of(page: str) -> Iterator[tuple[str, Lines]]:
    """The paragraphs of a page that the model read, and which of its lines they are, counted from
    1."""
    first = 1
    for paragraph in re.split(r"\n\s*\n", page.strip()):
        lines = [line.strip() for line in paragraph.strip().split("\n")]
        if words := " ".join(DIVIDED.sub("", "\n".join(lines)).split()):
            yield words, Lines(first, first + len(lines) - 1)
            first += len(lines)
