"""One class per kind of thing: how it becomes text.

A processor either asks a model, and reads the answer when it comes back by webhook, or reads
the document itself. Each has the same inner shape, `process` and `read`; to add a kind is to
write one more and name it in PROCESSORS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import trafilatura
from lxml.etree import _Element as Element
from trafilatura.settings import Document as Extract
from trafilatura.utils import decode_file

from allthethings.assets import Asset
from allthethings.errors import UnusableThing
from allthethings.fetch import Document
from allthethings.passages import Piece
from allthethings.predictions import Segment, parse_transcript
from allthethings.replicate_client import ReplicateClient

WHISPER_VERSION = "cdd97b257f93cb89dede1c7584e3f3dfc969571b357dbcee08e793740bedd854"


@dataclass(frozen=True)
class Content:
    """What a thing says, in its parts and as a whole."""

    pieces: tuple[Piece, ...]
    text: str
    title: str | None = None


@dataclass(frozen=True)
class Requested:
    """A model was asked; its answer comes by webhook."""

    prediction_id: str
    request: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Tools:
    """What processors work with. `download` gets a document or raises UnusableThing."""

    replicate: ReplicateClient
    download: Callable[[str], Document]
    audio_webhook_url: str


class Processor(Protocol):
    """How one kind of thing becomes text. `accepts` are content types, or their beginnings."""

    kind: ClassVar[str]
    accepts: ClassVar[tuple[str, ...]]

    def __init__(self, tools: Tools) -> None: ...

    def process(self, asset: Asset) -> Content | Requested:
        """The thing's content, or the prediction that will bring it."""

    def find(self, asset: Asset) -> Requested | None:
        """The prediction for this asset whose record was lost, if there is one."""

    def read(self, output: Any) -> Content:
        """The content in what the model, or the server, answered. Raises UnusableThing."""


class AudioProcessor:
    """Speech, through Whisper on Replicate."""

    kind: ClassVar[str] = "audio"
    accepts: ClassVar[tuple[str, ...]] = ("audio/", "application/ogg")

    def __init__(self, tools: Tools) -> None:
        self._replicate = tools.replicate
        self._webhook_url = tools.audio_webhook_url

    def request(self, url: str) -> dict[str, Any]:
        """The model's input: what the tutorial asks of Whisper."""
        return {
            "audio": url,
            "language": "auto",
            "translate": False,
            "temperature": 0,
            "transcription": "plain text",
            "suppress_tokens": "-1",
            "logprob_threshold": -1,
            "no_speech_threshold": 0.6,
            "condition_on_previous_text": True,
            "compression_ratio_threshold": 2.4,
            "temperature_increment_on_fallback": 0.2,
        }

    def process(self, asset: Asset) -> Requested:
        request = self.request(asset.url)
        webhook = f"{self._webhook_url}/{asset.id}"
        prediction = self._replicate.create(WHISPER_VERSION, request, webhook)
        return Requested(prediction.id, {"version": WHISPER_VERSION, "input": request})

    def find(self, asset: Asset) -> Requested | None:
        found = self._replicate.find(
            WHISPER_VERSION,
            asset.updated_at,
            lambda values: values.get("audio") == asset.url,
            asset.replaced_process_ids,
        )
        return Requested(found) if found else None

    def read(self, output: Any) -> Content:
        transcript = parse_transcript(output)
        if not transcript.text:
            raise UnusableThing("No speech was heard in this recording.")
        whole = Piece(transcript.text)
        pieces = tuple(map(_spoken, transcript.segments)) or (whole,)
        return Content(pieces, transcript.text)


class HtmlProcessor:
    """A web page: its main text and title, without navigation and other trimmings."""

    kind: ClassVar[str] = "web page"
    accepts: ClassVar[tuple[str, ...]] = ("text/html", "application/xhtml+xml")

    def __init__(self, tools: Tools) -> None:
        self._download = tools.download

    def process(self, asset: Asset) -> Content:
        return self.read(self._download(asset.url))

    def find(self, asset: Asset) -> Requested | None:  # noqa: ARG002 - no model was asked
        return None

    def read(self, output: Document) -> Content:
        extract = trafilatura.bare_extraction(
            _markup(output),
            url=output.url,
            include_comments=False,
            include_images=False,
            include_links=False,
            with_metadata=True,
            favor_recall=True,
        )
        pieces = tuple(_paragraphs(extract.body)) if isinstance(extract, Extract) else ()
        if not isinstance(extract, Extract) or not pieces:
            raise UnusableThing("No text was found on this page.")
        return Content(pieces, "\n\n".join(piece.text for piece in pieces), extract.title)


PROCESSORS: tuple[type[Processor], ...] = (AudioProcessor, HtmlProcessor)


def get_asset_processor(content_type: str, tools: Tools) -> Processor | None:
    """The processor for a content type (lower case, no parameters); None for other kinds."""
    processor = _accepting(content_type)
    return processor(tools) if processor else None


def kinds() -> list[str]:
    """The kinds of things that work, in words."""
    return [processor.kind for processor in PROCESSORS]


def kind_of(content_type: str) -> str:
    """The kind, in words, of a thing that was accepted."""
    processor = _accepting(content_type)
    return processor.kind if processor else content_type


def _accepting(content_type: str) -> type[Processor] | None:
    return next((each for each in PROCESSORS if content_type.startswith(each.accepts)), None)


def _spoken(segment: Segment) -> Piece:
    return Piece(segment.text, {"start": segment.start, "end": segment.end})


def _markup(document: Document) -> str:
    """The page as text: in the encoding that the server names, if it is right, else a guess."""
    try:
        text = document.body.decode(document.charset or "")
    except (LookupError, UnicodeError):  # 'undefined' is a codec that refuses everything
        text = decode_file(document.body)
    # trafilatura takes what has no <html> tag for no page; HTML lets the tag be left out.
    return text if "<html" in text[:5_000].lower() else f"<html><body>{text}</body></html>"


def _paragraphs(body: Element) -> Iterator[Piece]:
    """The text of trafilatura's tree (TEI names: head, p, list/item, table/row, quote, code)."""
    heading = ""
    for element in body.iter("head", "p", "item", "row", "quote", "code"):
        if any(above.tag in {"p", "item", "row", "quote"} for above in element.iterancestors()):
            continue
        text = " ".join(" ".join(element.itertext()).split())
        if element.tag == "head":
            heading = text
        elif text:
            yield Piece(text, {"heading": heading} if heading else {})
