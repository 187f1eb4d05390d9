"""Cog's entry point: the inputs and the output of replicate/all-mpnet-base-v2."""

import json
import os
from pathlib import Path

import int8
from cog import BaseModel, BaseRunner, Input, concurrent
from collector import Collector
from embedder import Embedder

# Predictions that share the model. Enough for full batches of one text each, and few enough that
# the end of the process costs little work.
CONCURRENCY = 16
# The most batches that run side by side. Each needs memory for its intermediate results.
MAX_STREAMS = 8
# Decimals of the numbers in the output: as exact as float32 is, and half as long.
DECIMALS = 9


class Embedding(BaseModel):
    embedding: list[float]


def read_texts(text: str | None, text_batch: str | None) -> list[str]:
    """The texts of one call. Raises ValueError for a wrong input."""
    if (text is None) == (text_batch is None):
        raise ValueError("Give either text or text_batch.")
    if text_batch is None:
        return [text or ""]
    try:
        texts = json.loads(text_batch)
    except ValueError as error:
        raise ValueError(f"text_batch is not JSON: {error}") from error
    if not isinstance(texts, list) or not all(isinstance(one, str) for one in texts):
        raise ValueError("text_batch must be a JSON list of strings.")
    if not texts:
        raise ValueError("text_batch is an empty list.")
    return texts


def wants_int8(precision: str) -> bool:
    """Whether the model is to run in 8-bit integers. Raises ValueError for an unknown word."""
    if precision not in {"auto", "int8", "float32"}:
        raise ValueError("EMBEDDING_PRECISION has to be auto, int8 or float32.")
    return int8.pays() if precision == "auto" else precision == "int8"


class Predictor(BaseRunner):
    def setup(self) -> None:
        """Load the weights from the folder in MPNET_WEIGHTS, or from weights/."""
        weights = Path(os.environ.get("MPNET_WEIGHTS") or "weights")
        streams = min(os.cpu_count() or 1, MAX_STREAMS)
        in_int8 = wants_int8(os.environ.get("EMBEDDING_PRECISION") or "auto")
        self.collector = Collector(Embedder(weights, streams=streams, in_int8=in_int8))

    @concurrent(max=CONCURRENCY)  # type: ignore[untyped-decorator]
    async def run(
        self,
        text: str | None = Input(default=None, description="One text to embed"),
        text_batch: str | None = Input(
            default=None, description="Several texts to embed: a JSON list of strings"
        ),
    ) -> list[Embedding]:
        """Embed each text as a unit vector of 768 numbers."""
        texts = read_texts(text, text_batch)
        vectors = await self.collector.embed(texts, urgent=text_batch is None)
        rounded = vectors.astype(float).round(DECIMALS)
        return [Embedding(embedding=vector) for vector in rounded.tolist()]
