"""The sentence that answers, by its meaning too: for passages that are shown already."""

from __future__ import annotations

import threading
import time
from array import array
from collections import OrderedDict
from collections.abc import Callable, Sequence
from operator import mul

from allthethings.errors import IndexingError
from allthethings.search.query_vectors import QueryVectors
from allthethings.search.sentences import Reading

# The weight of the cosine in a sentence's score; the words have the rest. Chosen by `make eval`.
WEIGHT_OF_MEANING = 0.55
# A sentence whose score by words is so much below the best one's has hardly ever the better
# meaning, and is not looked at. On XQuAD that leaves 1.8 of 4.8 sentences, and loses no answer.
TOO_FAR = 0.35
# Vectors of sentences that are kept, 3 kB each.
MAX_KEPT = 4_000
# Sentences are made vectors for so many pages at once; further ones do with words alone.
AT_ONCE = 2
# Seconds after which the rest of a page's passages do with words alone.
PATIENCE = 10.0

# A unit vector for each text; None where there is no model for that, or not yet.
EmbedAside = Callable[[Sequence[str]], Sequence[Sequence[float]] | None]


class Answers:
    """Chooses sentences by words and meaning. One serves any number of threads.

    Only a model in this process embeds the sentences, `embed`; without one words alone decide.
    """

    def __init__(self, vectors: QueryVectors | None, embed: EmbedAside | None) -> None:
        self._vectors = vectors
        self._embed = embed
        self._kept = Kept(MAX_KEPT)
        self._free = threading.BoundedSemaphore(AT_ONCE)

    @property
    def by_meaning(self) -> bool:
        """Whether there is a model."""
        return self._embed is not None

    def best(self, query: str, readings: Sequence[Reading]) -> list[int | None]:
        """The number of the sentence that answers, for each passage; None where words alone are
        to decide."""
        if query and self._free.acquire(blocking=False):
            try:
                return self._by_meaning(query, readings)
            finally:
                self._free.release()
        return [None] * len(readings)

    def _by_meaning(self, query: str, readings: Sequence[Reading]) -> list[int | None]:
        nothing: list[int | None] = [None] * len(readings)
        if self._embed is None or self._vectors is None or self._embed([]) is None:
            return nothing
        try:
            wanted = self._vectors.of(query)  # which its search has just made
        except IndexingError:
            return nothing
        end = time.monotonic() + PATIENCE
        return [self._nearest(reading, wanted, self._embed, end) for reading in readings]

    def _nearest(
        self, reading: Reading, wanted: Sequence[float], embed: EmbedAside, end: float
    ) -> int | None:
        """The number of the best sentence; None after the `end`, or where the model fails."""
        numbers = candidates(reading.scores)
        if len(numbers) < 2:
            return numbers[0] if numbers else None
        texts = [reading.sentences[number].of(reading.text) for number in numbers]
        vectors = self._of(texts, embed) if time.monotonic() < end else None
        if vectors is None:
            return None
        scores = [
            WEIGHT_OF_MEANING * sum(map(mul, vector, wanted))
            + (1 - WEIGHT_OF_MEANING) * reading.scores[number]
            for number, vector in zip(numbers, vectors, strict=True)
        ]
        return numbers[scores.index(max(scores))]

    def _of(self, texts: Sequence[str], embed: EmbedAside) -> list[array[float]] | None:
        """The vectors of sentences; made once, as long as they are kept."""
        kept = {text: self._kept.get(text) for text in texts}
        missing = [text for text, vector in kept.items() if vector is None]
        if missing:
            made = embed(missing)
            if made is None:
                return None
            for text, numbers in zip(missing, made, strict=True):
                kept[text] = self._kept.put(text, numbers)
        return [vector for text in texts if (vector := kept[text]) is not None]


class Kept:
    """The vectors that were used last. One serves any number of threads."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._vectors: OrderedDict[str, array[float]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, text: str) -> array[float] | None:
        with self._lock:
            vector = self._vectors.get(text)
            if vector is not None:
                self._vectors.move_to_end(text)
            return vector

    def put(self, text: str, vector: Sequence[float]) -> array[float]:
        """Keep a vector; the one that was not used for longest goes."""
        packed = array("f", vector)
        with self._lock:
            self._vectors[text] = packed
            self._vectors.move_to_end(text)
            if len(self._vectors) > self._size:
                self._vectors.popitem(last=False)
        return packed


def candidates(scores: Sequence[float]) -> list[int]:
    """The sentences that may answer, by their scores by words."""
    least = max(scores, default=0.0) - TOO_FAR
    return [number for number, score in enumerate(scores) if score >= least]
