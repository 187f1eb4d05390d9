"""New versions of things are made beside them, and put in their places.

The stages that make a new thing make a revision too, over collections of its own. What is special
is how it ends: `complete` may be called by anybody at any time, also again after a crash.
"""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import replace
from functools import partial

from allthethings.assets.asset import Asset, AssetStatus
from allthethings.assets.diffs import compare
from allthethings.assets.looks import Outcome
from allthethings.errors import IndexingError, NoSuchAsset, ServiceUnavailable, UnusableThing
from allthethings.mongo import Database
from allthethings.pipeline.embedding_stage import EmbeddingStage
from allthethings.pipeline.later import if_available
from allthethings.pipeline.lifecycle import Lifecycle
from allthethings.pipeline.text_stage import TextStage
from allthethings.processors import Content, about
from allthethings.store.changes import Change
from allthethings.store.conditions import Scope
from allthethings.store.documents import now
from allthethings.store.revisions import Revision

log = logging.getLogger(__name__)

S = AssetStatus
# Revisions that are completed in one pass.
LIMIT = 100
# Seconds to wait for the search index before the text is replaced, and between two looks at it.
INDEX_PATIENCE = 5.0
POLL = 0.1
# Passages of a thing that are asked for then: those before may be as near.
NEAREST = 20


class Revisions:
    """Makes revisions. The stages are those over the collections of revisions. One serves any
    number of threads."""

    def __init__(
        self, database: Database, text: TextStage, embeddings: EmbeddingStage, lifecycle: Lifecycle
    ) -> None:
        self._things = database.assets
        self._passages = database.passages
        self._index = database.passage_index
        self._changes = database.changes
        self._store = database.revisions
        self._stores = database.of_revisions
        self._text = text
        self._embeddings = embeddings
        self._lifecycle = lifecycle

    def make(self, revision: Asset, content: Content | None) -> None:
        """Make a revision that was begun, leased to the caller, as far as it goes without waiting.
        `content` is what it says, if the caller has read it."""
        log.info("revision %s is made", revision.id)
        self._text.process(revision, content=content)
        with if_available(revision.id):
            self.complete(revision.id)

    def record_text(self, revision_id: str, payload: object) -> None:
        """As TextStage.record, for a revision."""
        self._text.record(revision_id, payload)
        self.complete(revision_id)

    def record_vectors(self, revision_id: str, first: int, last: int, payload: object) -> None:
        """As EmbeddingStage.record, for a revision."""
        self._embeddings.record(revision_id, first, last, payload)
        self.complete(revision_id)

    def complete_all(self) -> int:
        """Complete the revisions that have ended. Returns how many there were. Raises
        ServiceUnavailable."""
        ended = self._store.finished(LIMIT)
        for revision_id in ended:
            try:
                self.complete(revision_id)
            except ServiceUnavailable:
                raise
            except Exception:  # of one revision; the others are not to wait for it
                log.exception("revision %s could not be completed", revision_id)
        return len(ended)

    def complete(self, revision_id: str) -> None:
        """Put a revision in its thing's place if it is SEARCHABLE, or give it up if it failed.
        Raises ServiceUnavailable; what is left is done by the next call."""
        made = self._stores.assets.state(revision_id)
        if made is None:
            return
        if made.status in (S.PROCESSED, S.GENERATING_EMBEDDINGS):
            self._embeddings.finish(revision_id)  # all of its vectors may have been there before
            made = self._stores.assets.state(revision_id)
        if made is None or not made.finished:
            return
        held = self._stores.leases.claim(revision_id, made.status)
        revision = self._store.get(revision_id) if held else None
        if held and revision:
            asset = replace(revision.asset, lease_owner=held.lease_owner)
            self._end(replace(revision, asset=asset))

    def forget(self, thing_id: str) -> None:
        """Remove what is kept of a thing that is deleted, besides its passages."""
        if revision := self._store.of_thing(thing_id):
            self._drop(revision)
        self._changes.delete(thing_id)

    def _end(self, revision: Revision) -> None:
        thing = self._things.get(revision.thing_id)
        if thing is None:  # it was deleted meanwhile, perhaps after passages had been copied
            self._passages.delete(revision.thing_id)
            self._changes.delete(revision.thing_id)
        elif revision.asset.failed:
            failed = _error_of(revision.asset)
            self._store.note(thing.id, thing.looks.failed(failed, now()))
        elif (thing.revision or 0) < revision.number:
            try:
                if not self._put_in_place(thing, revision):
                    return
            except UnusableThing as error:  # it is too large to be stored
                self._store.note(thing.id, thing.looks.failed(error, now()))
        self._clear_up(revision)
        self._drop(revision)

    def _put_in_place(self, thing: Asset, revision: Revision) -> bool:
        """Make the thing say what the revision says. False if another worker does."""
        made = revision.asset
        if same_text(thing, made.text, made.title):
            looks = replace(thing.looks, outcome=Outcome.UNCHANGED)
            self._store.note(thing.id, looks, made.version)
            return True
        told = about(replace(thing, language=made.language), made.title)
        if not self._store.copy_passages(revision, told, partial(self._holds, revision)):
            if self._stores.assets.state(made.id) is None:  # the other worker has ended already
                self._clear_up(revision)
            return False
        self._wait_for_the_index(revision)
        change = self._change(thing, revision)
        self._changes.put(thing.id, change)
        looks = replace(thing.looks, outcome=Outcome.CHANGED, changed_at=change.at)
        if self._store.switch(revision, looks):
            log.info("asset %s has revision %d", thing.id, revision.number)
        return True

    def _wait_for_the_index(self, revision: Revision) -> None:
        """Wait until the search finds the passages that were copied, so that the thing is found
        all the time. An index that is away, or far behind, is not waited for."""
        vectors = self._stores.passages.vectors(revision.asset.id, 0)
        scope = Scope(only=frozenset({revision.thing_id}))
        end = time.monotonic() + INDEX_PATIENCE
        while vectors and time.monotonic() < end:
            try:
                found = self._index.nearest(vectors[0], scope, NEAREST)
            except ServiceUnavailable as error:
                log.warning("the index is not waited for: %s", error)
                return
            if any(row.get("revision") == revision.number for row in found):
                return
            time.sleep(POLL)

    def _change(self, thing: Asset, revision: Revision) -> Change:
        old = self._passages.of(thing.id, thing.revision)
        new = self._stores.passages.of(revision.asset.id)
        diff = compare([row["text"] for row in old], [row["text"] for row in new])
        former_title = thing.title if thing.title != revision.asset.title else None
        return Change(revision.number, now(), diff, former_title)

    def _clear_up(self, revision: Revision) -> None:
        """Remove the passages that do not count: those before, if the revision is in place, or
        else its own."""
        thing = self._things.state(revision.thing_id)
        if thing is not None and (thing.revision or 0) >= revision.number:
            self._store.retire(thing.id, revision.number)
            self._changes.trim(thing.id, revision.number)
        else:
            self._store.withdraw(revision)

    def _holds(self, revision: Revision) -> bool:
        return self._stores.leases.renew(revision.asset)

    def _drop(self, revision: Revision) -> None:
        with contextlib.suppress(NoSuchAsset):  # another worker has ended it too
            self._lifecycle.delete(revision.asset.id)


def same_text(thing: Asset, text: str | None, title: str | None) -> bool:
    """Whether a thing says this already. A version without a title keeps the one before."""
    return thing.text == text and title in (None, thing.title)


def _error_of(failed: Asset) -> IndexingError:
    return IndexingError(failed.error or "Unknown reason.", failed.error_code)
