"""Turns texts into vectors with the tokenizer and the compiled graph."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import graph
import numpy as np
import openvino as ov
from batching import batches
from numpy.typing import NDArray
from tokenizers import Tokenizer


class Embedder:
    """all-mpnet-base-v2 in this process. Only one thread at a time may use it."""

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(graph.MAX_TOKENS)
        # There is no precision hint, since bf16 gives useless vectors on processors without it.
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": str(threads or os.cpu_count() or 1),
        }
        compiled = ov.Core().compile_model(graph.load(folder), "CPU", options)
        self._request = compiled.create_infer_request()
        self.embed(["The first text takes half a second more than others: this one."])

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One unit vector for each text, shape (len(texts), 768).

        The model ignores everything after 384 word pieces.
        """
        encoded = self._tokenizer.encode_batch(list(texts))
        vectors = np.empty((len(texts), graph.HIDDEN), dtype=np.float32)
        for batch in batches([len(one.ids) for one in encoded]):
            vectors[batch] = self._infer([encoded[index].ids for index in batch])
        return vectors

    def _infer(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        shape = (len(rows), max(map(len, rows)))
        ids = np.full(shape, graph.PADDING_ID, dtype=np.int64)
        mask = np.zeros(shape, dtype=np.int64)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = row
            mask[number, : len(row)] = 1
        result: NDArray[np.float32] = self._request.infer([ids, mask])[0]
        return result
