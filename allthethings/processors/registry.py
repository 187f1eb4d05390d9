"""The kinds of things that the app takes, and the questions that the rest of the app asks of them.

To add a kind, write a module with its processor and name it in PROCESSORS. The first of them that
accepts a content type, or recognises the first bytes, gets the thing: a kind whose files are text
stands before TextProcessor, which recognises any UTF-8.
"""

from __future__ import annotations

from typing import Any, ClassVar

from allthethings.assets.about import About
from allthethings.assets.asset import Asset
from allthethings.assets.languages import UNDETERMINED
from allthethings.assets.names import readable_name
from allthethings.assets.urls import sites_of
from allthethings.errors import ErrorCode, UnusableThing
from allthethings.processors.archive import ArchiveProcessor
from allthethings.processors.audio import AudioProcessor
from allthethings.processors.book import BookProcessor
from allthethings.processors.code import CodeProcessor
from allthethings.processors.data import DataProcessor
from allthethings.processors.html import HtmlProcessor
from allthethings.processors.image import ImageProcessor
from allthethings.processors.lists import ListProcessor
from allthethings.processors.mail import MailProcessor
from allthethings.processors.pdf import PdfProcessor
from allthethings.processors.presentation import PresentationProcessor
from allthethings.processors.processor import Content, Processor, Requested, Tools, Words, svg
from allthethings.processors.spreadsheet import SpreadsheetProcessor
from allthethings.processors.subtitles import SubtitlesProcessor
from allthethings.processors.text import TextProcessor
from allthethings.processors.video import VideoProcessor
from allthethings.processors.word import WordProcessor

PROCESSORS: tuple[type[Processor], ...] = (
    AudioProcessor,
    VideoProcessor,
    ImageProcessor,
    ListProcessor,
    HtmlProcessor,
    PdfProcessor,
    WordProcessor,
    PresentationProcessor,
    SpreadsheetProcessor,
    BookProcessor,
    MailProcessor,
    ArchiveProcessor,
    SubtitlesProcessor,
    DataProcessor,
    CodeProcessor,
    TextProcessor,
)


class Unsupported(Processor):
    """Stands in for a kind that was taken once, and is not processed any more."""

    kind: ClassVar = "other"
    accepts: ClassVar = ()
    words: ClassVar = Words(submitted="Waiting", running="Waiting", share="{:.0%}")
    steps: ClassVar = (5, 5, 25, 28)
    mark: ClassVar = svg("M3 2h10v12H3z")

    def process(self, asset: Asset) -> Content | Requested:
        """Raises UnusableThing."""
        return self.read(asset)

    def find(self, asset: Asset) -> Requested | None:  # noqa: ARG002
        """Nothing: no model is asked."""
        return None

    def read(self, output: Any) -> Content:
        """Raises UnusableThing."""
        del output
        raise UnusableThing(
            "Things of this type are no longer supported.", ErrorCode.UNSUPPORTED_TYPE
        )


def processor_class(content_type: str) -> type[Processor]:
    """The processor of a content type (lower case, no parameters); Unsupported for others."""
    return next((each for each in PROCESSORS if each.takes(content_type)), Unsupported)


def get_asset_processor(content_type: str, tools: Tools) -> Processor | None:
    """The processor for a content type (lower case, no parameters); None for other kinds."""
    processor = processor_class(content_type)
    return None if processor is Unsupported else processor(tools)


def sniff(first: bytes) -> str | None:
    """The content type of a thing that begins with these bytes, if some kind knows it."""
    return next((found for each in PROCESSORS if (found := each.sniff(first))), None)


def kinds() -> list[str]:
    """The kinds of things that work, in words."""
    return [processor.kind for processor in PROCESSORS]


def kind_of(content_type: str) -> str:
    """The kind, in words, of a thing that was accepted."""
    return processor_class(content_type).kind


def about(asset: Asset, title: str | None) -> About:
    """What the passages of the asset say of it, which has that title."""
    kind, sites = kind_of(asset.content_type), sites_of(asset.url)
    language = asset.language or UNDETERMINED
    name = title or readable_name(asset.url)
    return About(name, asset.content_type, kind, sites, asset.created_at, language)


def webhooks() -> list[str]:
    """The names of the webhooks by which models bring texts, each once."""
    models = (model for each in PROCESSORS for model in (each.model, each.page_model) if model)
    return list(dict.fromkeys(model.webhook for model in models))


def preload() -> list[str]:
    """The modules to import in the process that reads documents. Each process that it forks imports
    the program's main module anew: in the worker that is Flask's command."""
    parsers = [module for each in PROCESSORS for module in (each.__module__, *each.preload)]
    return [*parsers, "allthethings.processors.language_model", "flask.cli"]
