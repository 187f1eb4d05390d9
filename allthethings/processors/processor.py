"""What every kind of thing has in common: how it is described, and how it becomes text.

A processor either asks a model, and reads the answer when it comes back by webhook, or
downloads the document and reads it. Either way it has the same two halves: `process` starts, and
`read` turns what came into text.
"""

from __future__ import annotations

import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from allthethings.assets.asset import Asset
from allthethings.assets.passages import Piece
from allthethings.errors import ErrorCode, UnusableThing
from allthethings.processors.sandbox import Starved, run_within
from allthethings.sources.fetch import Download

if TYPE_CHECKING:  # the SDK takes half a second to import, and setup scripts do without
    from allthethings.replicate.client import ReplicateClient

log = logging.getLogger(__name__)

# CPU seconds to read one document. A page of half a million words takes about 5.
READ_SECONDS = 15


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
    """What processors work with.

    `download` gets a document of at most so many bytes, or raises UnusableThing. `webhook_urls`
    are where the gateway takes the models' callbacks, by the names of their webhooks.
    """

    replicate: ReplicateClient
    download: Callable[[str, int], Download]
    webhook_urls: Mapping[str, str]


@dataclass(frozen=True)
class Model:
    """A model on Replicate that turns things into text.

    `webhook` names its callbacks: /webhooks/<webhook>/<asset id> and <WEBHOOK>_WEBHOOK_URL.
    `url_input` is the input that holds the thing's URL.
    """

    version: str
    webhook: str
    url_input: str


@dataclass(frozen=True)
class Words:
    """What people read about a thing while it becomes text.

    `submitted` says what happens first and `running` what the model does. `share` is a format
    for the share that the model has done, from 0 to 1. `text` is what the text is called.
    """

    submitted: str
    running: str
    share: str
    text: str = "Text"


def svg(path: str) -> str:
    """A mark of 16 by 16 units in the colour of the text around it, drawn along `path`."""
    return f'<svg class="mark" viewBox="0 0 16 16" aria-hidden="true"><path d="{path}"/></svg>'


class Processor(ABC):
    """How one kind of thing is recognised, described and turned into text."""

    # The kind in words for people, also after `kind:` in a query.
    kind: ClassVar[str]
    # Content types in lower case, or families of them such as `audio/`.
    accepts: ClassVar[tuple[str, ...]]
    # By content type, a pattern of the first bytes of such things, for servers that do not say
    # what they send.
    signatures: ClassVar[Mapping[str, bytes]] = MappingProxyType({})
    # The most bytes that a thing may have; None where the model sets the limit.
    max_bytes: ClassVar[int | None] = None
    # The model that turns things into text; None where the app reads them itself.
    model: ClassVar[Model | None] = None
    words: ClassVar[Words]
    # Percent of the whole way at which SUBMITTED, PROCESSING, PROCESSED and
    # GENERATING_EMBEDDINGS begin, in proportion to the time that they take.
    steps: ClassVar[tuple[int, int, int, int]]
    # The HTML element that plays the original; None where there is nothing to play.
    player: ClassVar[str | None] = None
    # An inline SVG beside the word of the kind.
    mark: ClassVar[str]
    # Modules that the process that reads a document should have imported already.
    preload: ClassVar[tuple[str, ...]] = ()

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    @classmethod
    def sniff(cls, first: bytes) -> str | None:
        """The content type of a thing that begins with these bytes, if it is of this kind."""
        for content_type, pattern in cls.signatures.items():
            if re.match(pattern, first, re.DOTALL):
                return content_type
        return None

    @classmethod
    def title(cls, look: Callable[[], Download]) -> str | None:
        """The title of a thing that nobody has read yet, if `look`, which downloads its first
        bytes, is enough to tell."""
        del look
        return None

    @abstractmethod
    def process(self, asset: Asset) -> Content | Requested:
        """The thing's content, or the prediction that will bring it."""

    @abstractmethod
    def find(self, asset: Asset) -> Requested | None:
        """The prediction for this asset whose record was lost, if there is one."""

    @abstractmethod
    def read(self, output: Any) -> Content:
        """The content in a model's output, or in a Download. Raises UnusableThing."""


class ModelProcessor(Processor):
    """A kind that a model on Replicate turns into text. Subclasses say what to ask of it, and
    read its output."""

    model: ClassVar[Model]
    words: ClassVar[Words] = Words(
        submitted="Being sent to the model",
        running="The model is working on it",
        share="{:.0%} done",
    )
    steps: ClassVar[tuple[int, int, int, int]] = (2, 5, 60, 64)

    @abstractmethod
    def request(self, url: str) -> dict[str, Any]:
        """The model's input for the thing at this URL."""

    def process(self, asset: Asset) -> Requested:
        """Ask the model. Raises UnusableThing for a thing that its server says is too large."""
        if self.max_bytes is not None and (asset.content_length or 0) > self.max_bytes:
            raise UnusableThing(
                f"This is larger than {self.max_bytes / 1_000_000:,.0f} MB.", ErrorCode.TOO_LARGE
            )
        request = self.request(asset.url)
        webhook = f"{self._tools.webhook_urls[self.model.webhook]}/{asset.id}"
        prediction = self._tools.replicate.create(self.model.version, request, webhook)
        return Requested(prediction.id, {"version": self.model.version, "input": request})

    def find(self, asset: Asset) -> Requested | None:
        """The prediction with the asset's URL among those that Replicate lists."""
        found = self._tools.replicate.find(
            self.model.version,
            asset.updated_at,
            lambda values: values.get(self.model.url_input) == asset.url,
            asset.replaced_process_ids,
        )
        return Requested(found) if found else None


class DocumentProcessor(Processor):
    """A kind that the app downloads and reads itself, in a process of its own. Subclasses give
    `parse`, and the words for what can go wrong."""

    max_bytes: ClassVar[int]
    words: ClassVar[Words] = Words(submitted="Being read", running="Being read", share="{:.0%}")
    steps: ClassVar[tuple[int, int, int, int]] = (5, 5, 25, 28)
    # What one document is called in sentences, and the sentence for one without text.
    noun: ClassVar[str]
    no_text: ClassVar[str]

    @staticmethod
    @abstractmethod
    def parse(document: Download) -> Content:
        """The content of a document; no pieces where there is no text. May raise anything."""

    def process(self, asset: Asset) -> Content:
        """Download it and read it."""
        return self.read(self._tools.download(asset.url, self.max_bytes))

    def find(self, asset: Asset) -> Requested | None:  # noqa: ARG002 - no model was asked
        """Nothing: no model was asked."""
        return None

    def read(self, output: Download) -> Content:
        """What the document says. Raises UnusableThing."""
        try:
            content = run_within(READ_SECONDS, self.parse, output)
        except Starved as error:
            raise UnusableThing(
                f"This machine was too busy to read the {self.noun}.", ErrorCode.MACHINE_BUSY
            ) from error
        except ChildProcessError as error:
            raise UnusableThing(
                f"The process that read this {self.noun} was killed.", ErrorCode.PARSER_KILLED
            ) from error
        except TimeoutError as error:
            raise UnusableThing(
                f"This {self.noun} is too complex to read in time.",
                ErrorCode.DOCUMENT_TOO_COMPLEX,
            ) from error
        except UnusableThing:
            raise
        except Exception as error:  # a parser of what strangers wrote: anything may come
            log.exception("the %s at %s cannot be parsed", self.noun, output.url)
            raise UnusableThing(f"This {self.noun} could not be read.") from error
        if not content.pieces:
            raise UnusableThing(self.no_text, ErrorCode.NO_TEXT)
        return content
