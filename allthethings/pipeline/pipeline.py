"""The journey of an asset: submitted, turned into text, cut, embedded, searchable.

Every step may be repeated and may be interrupted. Its effect is a compare-and-set, so it happens
once, and the reconciler completes what was interrupted. A worker that acts on an asset outside of
a callback holds its lease.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from allthethings.assets.lists import MAX_ENTRIES
from allthethings.assets.looks import Schedule
from allthethings.assets.passages import CountTokens, Shape
from allthethings.errors import NoSuchAsset
from allthethings.generators import AsyncEmbeddingsGenerator
from allthethings.mongo import Database, Stores
from allthethings.pipeline.attempts import INTERVALS
from allthethings.pipeline.embedding_stage import EmbeddingStage
from allthethings.pipeline.failures import Failures
from allthethings.pipeline.following import Following
from allthethings.pipeline.handover import Handover, Way, at_once
from allthethings.pipeline.lifecycle import Lifecycle
from allthethings.pipeline.list_entries import ListEntries
from allthethings.pipeline.looks import LookAgain
from allthethings.pipeline.page_stage import PageStage
from allthethings.pipeline.revisions import Revisions
from allthethings.pipeline.submission import Submission
from allthethings.pipeline.text_keeper import Cutter, TextKeeper
from allthethings.pipeline.text_stage import TextStage
from allthethings.pipeline.tutorial import TutorialTexts
from allthethings.pipeline.unwanted import Cleanup, UnwantedPredictions
from allthethings.processors import Tools
from allthethings.store.lists import ListStore
from guardedfetch import Fetcher


@dataclass(frozen=True)
class Stages:
    """What makes assets, or revisions of them."""

    keeper: TextKeeper
    text: TextStage
    pages: PageStage
    embeddings: EmbeddingStage
    lifecycle: Lifecycle
    unwanted: UnwantedPredictions
    failures: Failures


@dataclass(frozen=True)
class Pipeline(Stages):
    """The stages of one app. `of_revisions` are those over revisions."""

    submission: Submission
    of_revisions: Stages
    revisions: Revisions
    looks: LookAgain
    following: Following
    tutorial: TutorialTexts
    clean_up: Cleanup

    def record_text(self, asset_id: str, payload: object) -> None:
        """Record a callback of the model that turns an asset, or a revision of one, into text. As
        TextStage.record."""
        try:
            self.text.record(asset_id, payload)
        except NoSuchAsset:
            self.revisions.record_text(asset_id, payload)

    def record_vectors(self, asset_id: str, first: int, last: int, payload: object) -> None:
        """Record a callback of the embedding model, for an asset or a revision of one. As
        EmbeddingStage.record."""
        try:
            self.embeddings.record(asset_id, first, last, payload)
        except NoSuchAsset:
            self.revisions.record_vectors(asset_id, first, last, payload)


def create_pipeline(
    database: Database,
    fetcher: Fetcher,
    tools: Tools,
    generator: AsyncEmbeddingsGenerator,
    count_tokens: CountTokens,
    callback_patience: timedelta,
    shape: Shape,
    intervals: Sequence[timedelta] = INTERVALS,
    look_again: Schedule = Schedule.NEVER,
    list_entries: int = MAX_ENTRIES,
    way: Way = at_once,
) -> Pipeline:
    """The stages, wired together. `callback_patience` is how late a callback may be, `intervals`
    are the waits before each further attempt of a step that failed. Things are looked at again as
    often as `look_again` says, where nobody has chosen that. `list_entries` is the most that a list
    may have. What would keep an answer waiting goes that `way`."""
    common = _Common(
        database.lists,
        tools,
        generator,
        Cutter(count_tokens, shape),
        ListEntries(database, list_entries),
        callback_patience,
        intervals,
        way,
        Cleanup(database.unwanted, tools.replicate, way),
    )
    return _wired(database, fetcher, common, look_again)


def _wired(database: Database, fetcher: Fetcher, common: _Common, look_again: Schedule) -> Pipeline:
    tools = common.tools
    new = common.stages(database.of_revisions)
    revisions = Revisions(database, new.text, new.embeddings, new.lifecycle)

    def forget(asset_id: str) -> None:
        revisions.forget(asset_id)
        database.members.delete(asset_id)

    first = common.stages(database, forget)
    return Pipeline(
        **vars(first),
        submission=Submission(database, fetcher, tools, first.text),
        of_revisions=new,
        revisions=revisions,
        looks=LookAgain(database, fetcher, tools, revisions, look_again),
        following=Following(database, fetcher, tools, common.entries),
        tutorial=TutorialTexts(database, tools, first.keeper),
        clean_up=common.clean_up,
    )


@dataclass(frozen=True)
class _Common:
    """What the stages over assets and those over revisions share."""

    lists: ListStore
    tools: Tools
    generator: AsyncEmbeddingsGenerator
    cutter: Cutter
    entries: ListEntries
    patience: timedelta
    intervals: Sequence[timedelta]
    way: Way
    clean_up: Cleanup

    def stages(self, stores: Stores, forget: Callable[[str], None] | None = None) -> Stages:
        """The stages over these stores. `forget` is told of each asset that is deleted."""
        tools, patience = self.tools, self.patience
        unwanted = UnwantedPredictions(stores, self.clean_up)
        failures = Failures(stores, unwanted, self.intervals)
        hand_over = Handover(stores.leases, self.way)
        embeddings = EmbeddingStage(stores, self.generator, unwanted, failures, hand_over, patience)
        keeper = TextKeeper(stores, self.cutter, embeddings, self.entries, failures)
        pages = PageStage(stores, tools, keeper, unwanted, failures, patience)
        text = TextStage(stores, tools, keeper, pages, embeddings, unwanted, failures, patience)
        lifecycle = Lifecycle(
            stores, self.lists, text, pages, embeddings, unwanted, hand_over, forget
        )
        return Stages(keeper, text, pages, embeddings, lifecycle, unwanted, failures)
