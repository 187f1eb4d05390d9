"""The embedding model in this process, so that queries wait neither for a cloud nor for the
documents that a model elsewhere is busy with.

A Cog folder is loaded as Cog itself does it: its modules by their own names, from its folder.
"""

from __future__ import annotations

import importlib
import logging
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from allthethings.search.query_vectors import Embed

log = logging.getLogger(__name__)


class LocalModel:
    """`folder` holds the module `embedder` with a class Embedder(weights folder).

    It is loaded by the first query, beside it, which takes a second or two; until then, and
    if that fails, queries go to `otherwise`.
    """

    def __init__(self, folder: Path, weights: Path, otherwise: Embed) -> None:
        self._folder = folder
        self._weights = weights
        self._otherwise = otherwise
        self._model: Any = None
        self._loading: threading.Thread | None = None
        self._lock = threading.Lock()

    def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """A unit vector for each text. Raises what `otherwise` raises."""
        if self._model is None:
            self.load()
            return self._otherwise(texts)
        try:
            with self._lock:  # it serves one at a time
                vectors: Sequence[Sequence[float]] = self._model.embed(texts).tolist()
        except RuntimeError:  # OpenVINO's own, of whatever went wrong
            log.exception("the embedding model here failed; this query goes to Replicate")
            return self._otherwise(texts)
        return vectors

    def load(self) -> threading.Thread:
        """Begin to load it, once; the thread that does."""
        with self._lock:
            if self._loading is None:
                self._loading = threading.Thread(target=self._load, name="model", daemon=True)
                self._loading.start()
            return self._loading

    def _load(self) -> None:
        try:
            sys.path.append(str(self._folder))
            self._model = importlib.import_module("embedder").Embedder(self._weights)
        except Exception:
            log.exception("the embedding model cannot be loaded; queries go to Replicate")
