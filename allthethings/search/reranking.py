"""A second look at the best passages, by a cross-encoder where one is set."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from allthethings.search.loading import Loading
from allthethings.search.results import Hit

if TYPE_CHECKING:
    from allthethings.search.cross_encoder import CrossEncoder

# Where the graph of a cross-encoder is in its folder; the first that is there counts. The
# subfolders are those of sentence-transformers and of the Hugging Face hub.
GRAPHS = ("openvino_model.xml", "openvino/openvino_model.xml", "model.onnx", "onnx/model.onnx")
TOKENIZER = "tokenizer.json"
# How many passages are looked at again. The others stay behind them.
LOOKED_AT = 20
# The weight of the cross-encoder's score in the new one; ours has the rest. A small cross-encoder
# ranks questions of some fields worse than ours does, so neither decides alone.
WEIGHT = 0.5
# Seconds that a query waits while others use the model. After that it does without.
PATIENCE = 2.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Files:
    """What a cross-encoder consists of."""

    graph: Path
    tokenizer: Path


def files_in(folder: Path) -> Files | None:
    """The cross-encoder of a folder; None if it lacks one of the files."""
    graphs = [path for name in GRAPHS if (path := folder / name).is_file()]
    tokenizer = folder / TOKENIZER
    return Files(graphs[0], tokenizer) if graphs and tokenizer.is_file() else None


class Reranker:
    """A cross-encoder in this process. One serves any number of threads.

    It is loaded in `prepare`, or in a thread that the first query starts.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._loading = Loading(self._make, "cross-encoder", "nothing is ranked a second time")
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Load the model, and return when it is there or cannot be loaded."""
        self._loading.start().join()

    def rank(self, query: str, hits: Sequence[Hit]) -> list[Hit] | None:
        """The hits, the first of them in a new order. None where the model is not loaded, is busy
        for too long or fails."""
        self._loading.start()
        model = self._loading.model
        if model is None or not self._lock.acquire(timeout=PATIENCE):
            return None
        first, rest = hits[:LOOKED_AT], hits[LOOKED_AT:]
        try:
            scores = model.scores(query, [hit.text for hit in first])
        except RuntimeError:  # what OpenVINO raises for every fault, and BadModel
            log.exception("the cross-encoder failed; this query is not ranked a second time")
            return None
        finally:
            self._lock.release()
        return [*fused(first, scores), *rest]

    def _make(self) -> CrossEncoder:
        from allthethings.search.cross_encoder import CrossEncoder

        return CrossEncoder(self._files.graph, self._files.tokenizer)


def fused(hits: Sequence[Hit], scores: Sequence[float]) -> list[Hit]:
    """The hits in the order of the weighted sum of their scores and these, which may have any
    scale.

    These are stretched to the range of the hits' own (min-max; Bruch et al., 2023, "An Analysis of
    Fusion Functions for Hybrid Retrieval"). So the new scores stay in that range, and whatever was
    behind all the hits stays behind them.
    """
    if not hits:
        return []
    own = [hit.score for hit in hits]
    low, least = min(own), min(scores)
    scale = (max(own) - low) / ((max(scores) - least) or 1.0)
    second = [low + (score - least) * scale for score in scores]
    ranked = [
        (replace(hit, score=(1 - WEIGHT) * hit.score + WEIGHT * other), score)
        for hit, other, score in zip(hits, second, scores, strict=True)
    ]
    ranked.sort(key=lambda each: (-each[0].score, -each[1], each[0].asset_id, each[0].position))
    return [hit for hit, _ in ranked]
