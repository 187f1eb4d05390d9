"""Cog's entry point: the inputs and the output of replicate/all-mpnet-base-v2."""

import json
import os
from pathlib import Path

from cog import BaseModel, BaseRunner, Input
from embedder import Embedder


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


class Predictor(BaseRunner):
    def setup(self) -> None:
        """Load the weights from the folder in MPNET_WEIGHTS, or from weights/."""
        self.embedder = Embedder(Path(os.environ.get("MPNET_WEIGHTS") or "weights"))

    def run(
        self,
        text: str | None = Input(default=None, description="One text to embed"),
        text_batch: str | None = Input(
            default=None, description="Several texts to embed: a JSON list of strings"
        ),
    ) -> list[Embedding]:
        """Embed each text as a unit vector of 768 numbers."""
        vectors = self.embedder.embed(read_texts(text, text_batch))
        return [Embedding(embedding=vector) for vector in vectors.tolist()]
