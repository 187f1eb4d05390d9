"""What every kind of thing has in common: how it is described, and how it becomes text.

A processor either asks a model, and reads the answer when it comes back by webhook, or
downloads the document and reads it. Either way it has the same two halves: `process` starts, and
`read` turns what came into text.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from allthethings.assets.asset import Asset
from allthethings.assets.facts import Facts
from allthethings.assets.lists import Listing
from allthethings.assets.looks import Version
from allthethings.assets.passages import Piece
from allthethings.errors import ErrorCode, UnusableThing
from allthethings.replicate.failures import output_of
from allthethings.sources.fetch import Download, Part

if TYPE_CHECKING:  # the SDK takes half a second to import, and setup scripts do without
    from allthethings.replicate.client import ReplicateClient
    from allthethings.replicate.predictions import Prediction

# The longest text that is stored, in characters, and in bytes: a MongoDB document holds 16 MiB,
# with the segments of a transcript and the history of the asset.
MAX_TEXT = 4_000_000
MAX_TEXT_BYTES = 14 * 1024 * 1024


@dataclass(frozen=True)
class Content:
    """What a thing says, in its parts and as a whole.

    `author` and `dated` are what it tells of itself; the latter is a year, month or day
    (ISO 8601). `remark` is a sentence for people about what its text lacks. `scanned` are the
    numbers, from 1, of the pages that are pictures of text, and that a model has yet to read.
    `listing` has the entries of a list, which become things of their own. `version` is that of the
    document that was read, if the app has read one. `language` is that of the text, if it was told
    by who has read it.
    """

    pieces: tuple[Piece, ...]
    text: str
    title: str | None = None
    author: str | None = None
    dated: str | None = None
    remark: str | None = None
    scanned: tuple[int, ...] = ()
    listing: Listing | None = None
    version: Version | None = None
    language: str | None = None

    def require_storable(self) -> None:
        """Raises UnusableThing for a text that is too long to be stored."""
        if len(self.text) > MAX_TEXT:
            limit = f"{MAX_TEXT:,} characters"
        elif len(self.text.encode(errors="surrogatepass")) > MAX_TEXT_BYTES:
            limit = f"{MAX_TEXT_BYTES:,} bytes"
        else:
            return
        message = f"Its text is too long: more than {limit}."
        raise UnusableThing(message, ErrorCode.TEXT_TOO_LONG)


@dataclass(frozen=True)
class Requested:
    """A model was asked; its answer comes by webhook. `request` is what is kept of the question."""

    prediction_id: str
    request: Mapping[str, Any] = field(default_factory=dict)
    # What an earlier model brought already, to be joined with this one's answer.
    draft: str | None = None


@dataclass(frozen=True)
class Tools:
    """What processors work with.

    `download` gets a document of at most so many bytes, and `part` so many bytes of a file from
    one of them on; both raise UnusableThing. `webhook_urls` are where the gateway takes the models'
    callbacks, by the names of their webhooks. `unpack` keeps the members of an archive that was
    downloaded. `lend` gives the URL at which a model gets a thing: it may be that of a copy at
    Replicate. `forget` removes what was kept until a thing was read.
    """

    replicate: ReplicateClient
    download: Callable[[str, int], Download]
    part: Callable[[str, int, int], Part]
    webhook_urls: Mapping[str, str]
    unpack: Callable[[Asset, Download], None]
    lend: Callable[[Asset], str]
    forget: Callable[[Asset], None]
    # The version of a model on Replicate that says what a picture shows; empty where there is none.
    caption_version: str = ""


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
    # What one of them is called in sentences.
    noun: ClassVar[str]
    # Content types in lower case, or families of them such as `audio/`.
    accepts: ClassVar[tuple[str, ...]]
    # By content type, a pattern of the first bytes of such things, where those are typical.
    signatures: ClassVar[Mapping[str, bytes]] = MappingProxyType({})
    # By the end of a file's name, in lower case with its dot, the content type of such files.
    suffixes: ClassVar[Mapping[str, str]] = MappingProxyType({})
    # Whether its files are text. A text may lack typical first bytes, and is known by its name.
    is_text: ClassVar[bool] = False
    # The most bytes that a thing may have; None where the model sets the limit.
    max_bytes: ClassVar[int | None] = None
    # The model that turns things into text; None where the app reads them itself.
    model: ClassVar[Model | None] = None
    # The model that reads pages that are pictures; None where a kind has no such pages.
    page_model: ClassVar[Model | None] = None
    words: ClassVar[Words]
    # Percent of the whole way at which SUBMITTED, PROCESSING, PROCESSED and
    # GENERATING_EMBEDDINGS begin, in proportion to the time that they take.
    steps: ClassVar[tuple[int, int, int, int]]
    # Whether the things in its list are nowhere else, so that they are deleted with it.
    has_members: ClassVar[bool] = False
    # Whether such things are the words of a video that stands elsewhere, which people may name.
    of_video: ClassVar[bool] = False
    # The HTML element that plays the original; None where there is nothing to play.
    player: ClassVar[str | None] = None
    # An inline SVG beside the word of the kind.
    mark: ClassVar[str]
    # Whether such things are looked at again.
    looked_at_again: ClassVar[bool] = True
    # Modules that the process that reads a document should have imported already.
    preload: ClassVar[tuple[str, ...]] = ()

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    @classmethod
    def takes(cls, content_type: str) -> bool:
        """Whether things of this content type (lower case, no parameters) are of this kind."""
        wanted = {content_type, f"{content_type.partition('/')[0]}/"}
        return not wanted.isdisjoint(cls.accepts)

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

    @classmethod
    def canonical(cls, look: Callable[[], Download]) -> str | None:
        """The URL that a thing names as its own, if `look`, which downloads its first bytes, is
        enough to tell."""
        del look
        return None

    def facts(self, asset: Asset) -> Facts:  # noqa: ARG002
        """What the thing tells of itself before its text is there. Raises UnusableThing."""
        return Facts()

    @abstractmethod
    def process(self, asset: Asset) -> Content | Requested:
        """The thing's content, or the prediction that will bring it."""

    @abstractmethod
    def find(self, asset: Asset) -> Requested | None:
        """The prediction for this asset whose record was lost, if there is one."""

    def asked_for(self, asset: Asset, prediction: Prediction) -> bool:  # noqa: ARG002
        """Whether this prediction, as Replicate tells it, was requested for the asset's text."""
        return False

    @abstractmethod
    def read(self, output: Any) -> Content:
        """The content in a model's output, or in a Download. Raises UnusableThing."""

    def arrived(self, asset: Asset, prediction: Prediction) -> Content | Requested:
        """What a finished prediction of the asset's text comes to: its content, or a further
        prediction. Raises UnusableThing, also where it failed."""
        del asset
        return self.read(output_of(prediction))
