"""One class per kind of thing: how it becomes text.

A processor either asks a model, and reads the answer when it comes back by webhook, or reads
the document itself. Each has the same inner shape, `process` and `read`; to add a kind is to
write one more and name it in PROCESSORS.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from allthethings.assets.asset import Asset
from allthethings.assets.locators import TimeSpan
from allthethings.assets.passages import Piece
from allthethings.assets.transcripts import Line
from allthethings.assets.urls import sites_of
from allthethings.errors import ErrorCode, ServiceUnavailable, UnusableThing
from allthethings.processors.pages import read_page
from allthethings.processors.sandbox import Starved, run_within
from allthethings.replicate.client import ReplicateClient
from allthethings.replicate.predictions import parse_transcript
from allthethings.sources.fetch import Download
from allthethings.store.passages import About

log = logging.getLogger(__name__)

WHISPER_VERSION = "cdd97b257f93cb89dede1c7584e3f3dfc969571b357dbcee08e793740bedd854"
READ_SECONDS = 15
"""Of a processor; a page of half a million words takes a third of it."""


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
    download: Callable[[str], Download]
    audio_webhook_url: str


class Processor(Protocol):
    """How one kind of thing becomes text. `accepts` are content types, or families as
    `audio/`; `spoken` is whether people listen to it, and a model to write down what is said."""

    kind: ClassVar[str]
    accepts: ClassVar[tuple[str, ...]]
    spoken: ClassVar[bool]

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
    spoken: ClassVar[bool] = True

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
            raise UnusableThing("No speech was heard in this recording.", ErrorCode.NO_SPEECH)
        whole = Piece(transcript.text)
        pieces = tuple(map(_spoken, transcript.segments)) or (whole,)
        return Content(pieces, transcript.text)


class HtmlProcessor:
    """A web page: its main text and title, without navigation and other trimmings."""

    kind: ClassVar[str] = "web page"
    accepts: ClassVar[tuple[str, ...]] = ("text/html", "application/xhtml+xml")
    spoken: ClassVar[bool] = False

    def __init__(self, tools: Tools) -> None:
        self._download = tools.download

    def process(self, asset: Asset) -> Content:
        return self.read(self._download(asset.url))

    def find(self, asset: Asset) -> Requested | None:  # noqa: ARG002 - no model was asked
        return None

    def read(self, output: Download) -> Content:
        try:
            page = run_within(READ_SECONDS, read_page, output.body, output.charset, output.url)
        except Starved as error:
            raise ServiceUnavailable("The reader of pages", "this machine is too busy") from error
        except TimeoutError as error:
            raise UnusableThing(
                "This page is too tangled to be read in time.", ErrorCode.DOCUMENT_TOO_COMPLEX
            ) from error
        except Exception as error:  # a parser for all the pages of the world: anything may come
            log.exception("the page at %s cannot be parsed", output.url)
            raise UnusableThing("This page could not be read.") from error
        if not page.pieces:
            raise UnusableThing("No text was found on this page.", ErrorCode.NO_TEXT)
        return Content(page.pieces, "\n\n".join(piece.text for piece in page.pieces), page.title)


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


def is_spoken(content_type: str) -> bool:
    """Whether people listen to a thing of this type."""
    processor = _accepting(content_type)
    return processor is not None and processor.spoken


def about(asset: Asset, title: str | None) -> About:
    """What the asset's passages say of it."""
    sites = sites_of(asset.url)
    return About(title, asset.content_type, kind_of(asset.content_type), sites, asset.created_at)


def _accepting(content_type: str) -> type[Processor] | None:
    wanted = {content_type, f"{content_type.partition('/')[0]}/"}
    return next((each for each in PROCESSORS if not wanted.isdisjoint(each.accepts)), None)


def _spoken(segment: Line) -> Piece:
    return Piece(segment.text, TimeSpan(segment.start, segment.end))
