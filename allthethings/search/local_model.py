"""The embedding model in this process: queries wait neither for a cloud nor for documents.

The model is a Cog folder, and is loaded as Cog does it: its modules by their own names.
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

    The first query starts loading it in a thread, which takes a second or two. Until then, and
    if loading fails, queries go to `otherwise`.
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
            with self._lock:  # the model serves one call at a time
                vectors: Sequence[Sequence[float]] = self._model.embed(texts).tolist()
        except RuntimeError:  # what OpenVINO raises for every fault
            log.exception("the local embedding model failed; this query goes to Replicate")
            return self._otherwise(texts)
        return vectors

    def load(self) -> threading.Thread:
        """Start loading the model, once. Returns the thread that loads it."""
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
            log.exception("the local embedding model cannot be loaded; queries go to Replicate")
