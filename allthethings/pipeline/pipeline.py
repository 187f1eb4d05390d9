"""The journey of an asset: submitted, turned into text, cut, embedded, searchable.

Every step may be repeated and may be interrupted. Its effect is a compare-and-set, so it happens
once, and the reconciler completes what was interrupted. A worker that acts on an asset outside of
a callback holds its lease.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from allthethings.assets.passages import CountTokens, Shape
from allthethings.generators import AsyncEmbeddingsGenerator
from allthethings.mongo import Database
from allthethings.pipeline.attempts import INTERVALS
from allthethings.pipeline.embedding_stage import EmbeddingStage
from allthethings.pipeline.failures import Failures
from allthethings.pipeline.lifecycle import Lifecycle
from allthethings.pipeline.submission import Submission
from allthethings.pipeline.text_stage import Cutter, TextStage
from allthethings.pipeline.unwanted import UnwantedPredictions
from allthethings.processors import Tools
from guardedfetch import Fetcher


@dataclass(frozen=True)
class Pipeline:
    """The stages of one app."""

    submission: Submission
    text: TextStage
    embeddings: EmbeddingStage
    lifecycle: Lifecycle
    unwanted: UnwantedPredictions
    failures: Failures


def create_pipeline(
    database: Database,
    fetcher: Fetcher,
    tools: Tools,
    generator: AsyncEmbeddingsGenerator,
    count_tokens: CountTokens,
    callback_patience: timedelta,
    shape: Shape,
    intervals: Sequence[timedelta] = INTERVALS,
) -> Pipeline:
    """The stages, wired together. `callback_patience` is how late a callback may be, `intervals`
    are the waits before each further attempt of a step that failed."""
    unwanted = UnwantedPredictions(database, tools.replicate)
    failures = Failures(database, intervals)
    embeddings = EmbeddingStage(database, generator, unwanted, failures, callback_patience)
    cutter = Cutter(count_tokens, shape)
    text = TextStage(database, tools, cutter, embeddings, unwanted, failures, callback_patience)
    return Pipeline(
        Submission(database, fetcher, tools, text),
        text,
        embeddings,
        Lifecycle(database, tools.replicate, text, embeddings, unwanted),
        unwanted,
        failures,
    )
