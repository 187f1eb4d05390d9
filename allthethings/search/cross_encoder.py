"""A cross-encoder: a model that reads a query and a passage together and tells how well they fit.

Imported only where one is set: it needs numpy and OpenVINO, which not every deployment has.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

# Word pieces of a query and a passage together, which is what BERT reads. Of the longer one more
# is cut off.
MAX_TOKENS = 512
# Pairs of a batch, and the word pieces to a multiple of which they are padded: OpenVINO prepares
# itself for each new shape.
BATCH, LENGTH_STEP = 4, 32
# What tokenizers call the word piece that fills a row.
PADDINGS = ("[PAD]", "<pad>")
# The inputs that such models have, and what of an encoded pair each of them takes. Models of the
# kinds of RoBERTa and ModernBERT have no token types.
INPUTS = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}


class BadModel(RuntimeError):
    """The model is no cross-encoder that this can run."""


class CrossEncoder:
    """A graph, as OpenVINO's IR or as ONNX, on the processor, with its `tokenizer.json`. Only one
    thread at a time may use it.

    Raises BadModel, and RuntimeError for what OpenVINO cannot read.
    """

    def __init__(self, graph: Path, tokenizer: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS, strategy="longest_first")
        padding = map(self._tokenizer.token_to_id, PADDINGS)
        self._padding = next((each for each in padding if each is not None), 0)
        options = {"NUM_STREAMS": "1", "ENABLE_CPU_PINNING": "NO"}
        compiled = ov.Core().compile_model(graph, "CPU", options)
        self._inputs = {each.get_any_name(): each for each in compiled.inputs}
        if unknown := self._inputs.keys() - INPUTS.keys():
            raise BadModel(f"the model asks for {', '.join(sorted(unknown))}")
        self._request = compiled.create_infer_request()
        self.scores("The first pair", ["takes longer than others."])

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """A number for each text: the greater, the better it fits. Its scale is the model's own.
        Raises BadModel where the model gives another number of numbers, or none."""
        rows = self._tokenizer.encode_batch([(query, text) for text in texts])
        order = sorted(range(len(rows)), key=lambda number: len(rows[number].ids))
        scores = np.empty(len(rows), np.float32)
        for first in range(0, len(order), BATCH):
            some = order[first : first + BATCH]
            scores[some] = self._run([rows[number] for number in some])
        return [float(score) for score in scores]

    def _run(self, rows: Sequence[Encoding]) -> NDArray[np.float32]:
        """One number for each row, which are run as one batch."""
        longest = max(len(row.ids) for row in rows)
        shape = (len(rows), -(-longest // LENGTH_STEP) * LENGTH_STEP)
        given = {}
        for name, port in self._inputs.items():
            fill = self._padding if name == "input_ids" else 0
            given[name] = np.full(shape, fill, port.get_element_type().to_dtype())
            for number, row in enumerate(rows):
                given[name][number, : len(row.ids)] = getattr(row, INPUTS[name])
        found: NDArray[np.float32] = self._request.infer(given)[0].reshape(-1).copy()
        if len(found) != len(rows) or not np.isfinite(found).all():
            raise BadModel("the model does not give one number for each pair")
        return found
