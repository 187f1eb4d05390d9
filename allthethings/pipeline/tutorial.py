"""Things of the tutorial's app become assets: their texts are kept, and cut and embedded anew."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pymongo.collection import Collection

from allthethings.assets.asset import Asset, AssetStatus
from allthethings.assets.passages import Piece
from allthethings.assets.urls import clean_url, url_key
from allthethings.errors import BadInput, ErrorCode, IndexingError, UnusableThing
from allthethings.mongo import Database
from allthethings.pipeline.text_keeper import TextKeeper
from allthethings.processors import Content, Processor, Tools, get_asset_processor, kinds
from allthethings.processors.model_processor import ModelProcessor
from allthethings.store.documents import Document, now
from allthethings.store.indexes import URL_KEY, missing_indexes
from allthethings.store.insertions import AlreadyIndexed
from allthethings.store.tutorial import (
    ASIDE,
    COLLECTION,
    DATABASE,
    TutorialThing,
    documents,
    read,
)

# What the history of such an asset says of its text.
NOTE: Mapping[str, Any] = {"taken_over": "tutorial"}


@dataclass(frozen=True)
class Outcome:
    """What became of one document of the tutorial. `error` is why no asset was made of it;
    `name` is its URL, or its id where it has none."""

    name: str
    error: IndexingError | None = None


@contextlib.contextmanager
def tutorial_collection(
    database: Database, uri: str | None, name: str | None, collection: str | None
) -> Iterator[Collection[Document]]:
    """Where the tutorial's documents are: in that collection of that server, or, where no server is
    named, beside the app's own. `name` is that of a database; None stands for the tutorial's.
    Raises BadInput, ServiceUnavailable."""
    if uri is None and (name is not None or collection is not None):
        raise BadInput("--database and --collection need --uri.")
    if URL_KEY in missing_indexes(database.database):
        raise BadInput("Run create-indexes.py first.")
    if uri is None:
        yield database.database[ASIDE]
        return
    try:
        elsewhere = Database(uri, name or DATABASE)
    except BadInput as error:
        raise BadInput(str(error).replace("MONGODB_CONNECTION_URI", "--uri")) from None
    with contextlib.closing(elsewhere):
        source = elsewhere.database[collection or COLLECTION]
        if source == database.assets.collection:
            raise BadInput(
                "This is the app's own collection. Run `create-indexes.py --move-tutorial`, which "
                "moves the tutorial's documents aside, and then this command without --uri."
            )
        yield source


class TutorialTexts:
    """Takes things of the tutorial, each with the id that it had there."""

    def __init__(self, database: Database, tools: Tools, keeper: TextKeeper) -> None:
        self._assets = database.assets
        self._tools = tools
        self._keeper = keeper

    def take_all(self, source: Collection[Document]) -> Iterator[Outcome]:
        """Take what can be taken. What was taken before is AlreadyIndexed, so that it can be done
        again after an interruption. Raises ServiceUnavailable."""
        for document in documents(source):
            name = str(document.get("url") or document["_id"])
            try:
                self.take(read(document))
                yield Outcome(name)
            except (AlreadyIndexed, BadInput, UnusableThing) as error:
                yield Outcome(name, error)

    def take(self, thing: TutorialThing) -> None:
        """Add an asset with the text of the thing; the worker asks for its vectors. Nothing is
        fetched. Raises AlreadyIndexed, BadInput, UnusableThing, ServiceUnavailable."""
        url = clean_url(thing.url)
        if existing := self._assets.state(thing.id) or self._assets.find_url(url):
            raise AlreadyIndexed(existing)
        processor = get_asset_processor(thing.content_type, self._tools)
        if processor is None:
            raise UnusableThing(
                f"It is of type {thing.content_type or 'unknown'}. "
                f"Accepted are: {', '.join(kinds())}.",
                ErrorCode.UNSUPPORTED_TYPE,
            )
        asset = Asset(
            thing.id,
            url,
            AssetStatus.PROCESSED,
            thing.content_type,
            thing.content_length,
            created_at=thing.submitted,
            updated_at=now(),
            title=thing.title,
        )
        self._keeper.add(asset, url_key(url), content_of(thing, processor), NOTE)


def content_of(thing: TutorialThing, processor: Processor) -> Content:
    """The text of a thing, with the times of what was said where the model's answer is kept and
    says the same."""
    if isinstance(processor, ModelProcessor) and thing.output is not None:
        try:
            content = processor.read(thing.output)
        except UnusableThing:  # another model's answer
            pass
        else:
            if content.text.split() == thing.text.split():
                return content
    return Content((Piece(thing.text),), thing.text)
