"""Texts to vectors, by replicate/all-mpnet-base-v2."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager

from allthethings.assets.asset import Asset
from allthethings.replicate.client import ReplicateClient, unavailable
from allthethings.replicate.predictions import Prediction, parse_embeddings

EMBEDDING_VERSION = "b6b7585c9640cd7a9572c6e129c9549d79c9c31f0d3fdce7baac7c67ca38f305"


class AsyncEmbeddingsGenerator:
    """Embeds the passages of a thing; the vectors come by webhook."""

    def __init__(self, replicate: ReplicateClient, webhook_url: str) -> None:
        self._replicate = replicate
        self._webhook_url = webhook_url

    def generate(self, asset: Asset, first: int, texts: Sequence[str]) -> str:
        """Request vectors for the passages `first`, `first` + 1, ...; returns the prediction's id.

        The webhook's path names the asset and the positions, first and last.
        """
        last = first + len(texts) - 1
        webhook = f"{self._webhook_url}/{asset.id}/{first}-{last}"
        return self._replicate.create(EMBEDDING_VERSION, _batch(texts), webhook).id

    def get(self, prediction_id: str) -> Prediction | None:
        """The prediction as it is now; None when Replicate knows none of that id."""
        return self._replicate.get(prediction_id)

    def one_list(self) -> AbstractContextManager[None]:
        """Within it, every `find` of this thread reads the same list of predictions."""
        return self._replicate.one_list()

    def look_up(self, prediction_id: str) -> Prediction | None:
        """What Replicate tells of a prediction, if it is one that embeds texts. Raises
        ServiceUnavailable."""
        prediction = self._replicate.look_up(prediction_id)
        if prediction is None or prediction.version != EMBEDDING_VERSION:
            return None
        return prediction

    def find(self, asset: Asset, texts: Sequence[str]) -> str | None:
        """The id of the prediction for these texts whose record was lost, if there is one."""
        values = _batch(texts)
        found = self._replicate.find(
            EMBEDDING_VERSION, asset.updated_at, values.__eq__, asset.replaced_process_ids
        )
        return found.id if found else None


class SyncEmbeddingsGenerator:
    """Embeds queries while a person waits."""

    def __init__(self, replicate: ReplicateClient) -> None:
        self._replicate = replicate

    def generate(self, texts: Sequence[str]) -> list[list[float]]:
        """A vector of 768 numbers, of unit length, for each text. Raises ServiceUnavailable when
        that takes too long."""
        # One text goes as `text`: it is never taken for a passage whose record was lost.
        values = {"text": texts[0]} if len(texts) == 1 else _batch(texts)
        prediction = self._replicate.run(EMBEDDING_VERSION, values)
        if not prediction.finished:
            raise unavailable("the query was not embedded in time")
        if not prediction.succeeded:
            raise unavailable(prediction.why_it_failed())
        return parse_embeddings(prediction.output, len(texts))


def texts_of(prediction: Prediction) -> list[str] | None:
    """The texts that a prediction embeds; None where it does not tell."""
    try:
        texts = json.loads(prediction.input.get("text_batch") or "")
    except (TypeError, ValueError):
        return None
    strings = isinstance(texts, list) and all(isinstance(text, str) for text in texts)
    return texts if strings else None


def _batch(texts: Sequence[str]) -> dict[str, str]:
    return {"text_batch": json.dumps(list(texts), ensure_ascii=False)}
