"""Turns texts into vectors with the tokenizer and the compiled graph."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import graph
import numpy as np
import openvino as ov
from batching import batches
from compiled import Compiled, compile_int8
from numpy.typing import NDArray
from tokenizers import Tokenizer

WordPieces = Sequence[int]

# Batches are padded to a multiple of so many word pieces. OpenVINO prepares itself for each new
# shape, which takes 20 to 80 ms.
LENGTH_STEP = 16


class Embedder:
    """all-mpnet-base-v2 in this process.

    With one stream, all threads work on one batch, which is the quickest for one text. With
    several, the threads are shared out among batches that run side by side and never wait for each
    other, which is the quickest for many texts. Only one thread at a time may use a stream.
    """

    def __init__(
        self,
        folder: Path,
        threads: int | None = None,
        streams: int = 1,
        *,
        in_int8: bool = False,
    ) -> None:
        self._tokenizer = load_tokenizer(folder)
        # There is no precision hint, since bf16 gives useless vectors on processors without it.
        # A thread that is bound to one processor waits there while another one is idle.
        options = {
            "NUM_STREAMS": str(streams),
            "INFERENCE_NUM_THREADS": str(threads or os.cpu_count() or 1),
            "ENABLE_CPU_PINNING": "NO",
        }
        if in_int8:
            self._compiled = compile_int8(folder, options)
        else:
            model = ov.Core().compile_model(graph.load(folder), "CPU", options)
            self._compiled = Compiled(model, None)
        self._requests = [self._compiled.model.create_infer_request() for _ in range(streams)]
        for stream in range(streams):  # the first text takes half a second more than others
            self.infer(self.word_pieces(["The first text."]), stream)

    @property
    def streams(self) -> int:
        return len(self._requests)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One unit vector for each text, shape (len(texts), 768).

        The model ignores everything after 384 word pieces.
        """
        rows = self.word_pieces(texts)
        vectors = np.empty((len(rows), graph.HIDDEN), dtype=np.float32)
        for batch in batches([len(row) for row in rows]):
            vectors[batch] = self.infer([rows[index] for index in batch])
        return vectors

    def word_pieces(self, texts: Sequence[str]) -> list[WordPieces]:
        """The ids of each text's word pieces, 384 at most."""
        return [encoded.ids for encoded in self._tokenizer.encode_batch(list(texts))]

    def infer(self, rows: Sequence[WordPieces], stream: int = 0) -> NDArray[np.float32]:
        """One unit vector for each row of word pieces, which are run as one batch."""
        result: NDArray[np.float32] = self._requests[stream].infer(feed(rows))[0].copy()
        return result


def load_tokenizer(folder: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(graph.MAX_TOKENS)
    return tokenizer


def feed(rows: Sequence[WordPieces]) -> list[NDArray[np.int64]]:
    """The two inputs of the graph for rows of word pieces."""
    shape = (len(rows), -(-max(map(len, rows)) // LENGTH_STEP) * LENGTH_STEP)
    ids = np.full(shape, graph.PADDING_ID, dtype=np.int64)
    mask = np.zeros(shape, dtype=np.int64)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = row
        mask[number, : len(row)] = 1
    return [ids, mask]
