"""The embedding model in this process: queries wait neither for a cloud nor for documents.

The model is a Cog folder, and is loaded as Cog does it: its modules by their own names.
"""

from __future__ import annotations

import importlib
import logging
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from allthethings.search.loading import Loading
from allthethings.search.query_vectors import Embed

log = logging.getLogger(__name__)

# Texts that nobody waits for are embedded so many at a time, a tenth of a second: a query that
# comes meanwhile waits for no more of them.
ASIDE_AT_ONCE = 2
# Seconds for which texts that nobody waits for wait for the model to be loaded.
LOADING_SECONDS = 10.0


class LocalModel:
    """`folder` holds the module `embedder` with a class Embedder(weights folder).

    Loading takes a second or two. It happens in `prepare`, or in a thread that the first query
    starts. Until then, and if loading fails, queries go to `otherwise`.
    """

    def __init__(self, folder: Path, weights: Path, otherwise: Embed) -> None:
        self._folder = folder
        self._weights = weights
        self._otherwise = otherwise
        self._loading = Loading[Any](self._make, "local embedding model", "queries go to Replicate")
        self._lock = threading.Lock()
        # How many queries use the model or wait for it.
        self._queries = 0
        self._no_queries = threading.Condition()

    def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """A unit vector for each text. Raises what `otherwise` raises."""
        if self._loading.model is None:
            self.load()
            return self._otherwise(texts)
        try:
            with self._before_others():
                return self._run(texts)
        except RuntimeError:  # what OpenVINO raises for every fault
            log.exception("the local embedding model failed; this query goes to Replicate")
            return self._otherwise(texts)

    def embed_aside(self, texts: Sequence[str]) -> Sequence[Sequence[float]] | None:
        """A unit vector for each text, when no query needs the model. None where the model cannot
        be loaded in LOADING_SECONDS, or fails: nobody else is asked."""
        if self._loading.model is None:
            self.load().join(LOADING_SECONDS)
        if self._loading.model is None:
            return None
        vectors: list[Sequence[float]] = []
        try:
            for first in range(0, len(texts), ASIDE_AT_ONCE):
                with self._no_queries:
                    self._no_queries.wait_for(lambda: not self._queries)
                vectors += self._run(texts[first : first + ASIDE_AT_ONCE])
        except RuntimeError:
            log.exception("the local embedding model failed")
            return None
        return vectors

    def _run(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        model: Any = self._loading.model
        with self._lock:  # the model serves one call at a time
            vectors: Sequence[Sequence[float]] = model.embed(texts).tolist()
        return vectors

    @contextmanager
    def _before_others(self) -> Iterator[None]:
        """Hold back what is embedded aside."""
        with self._no_queries:
            self._queries += 1
        try:
            yield
        finally:
            with self._no_queries:
                self._queries -= 1
                self._no_queries.notify_all()

    def prepare(self) -> None:
        """Load the model, and return when it is there or cannot be loaded."""
        self.load().join()

    def load(self) -> threading.Thread:
        """Start loading the model, once. Returns the thread that loads it."""
        return self._loading.start()

    def _make(self) -> Any:
        sys.path.append(str(self._folder))
        return importlib.import_module("embedder").Embedder(self._weights)
