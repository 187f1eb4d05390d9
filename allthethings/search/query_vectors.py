"""The vectors of queries, of any length; recent ones are kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

from allthethings.assets.passages import CountTokens, Piece, cut
from allthethings.errors import BadInput

MAX_WORDS = 2_000
# Characters of a query: some texts have no spaces.
MAX_CHARACTERS = 20_000
# Vectors of recent queries that are kept, 6 kB each.
MAX_KEPT = 1_000

# A unit vector for each text. Raises ServiceUnavailable.
Embed = Callable[[Sequence[str]], Sequence[Sequence[float]]]


class QueryVectors:
    """Embeds queries, and remembers the latest ones. One serves any number of threads."""

    def __init__(self, embed: Embed, count_tokens: CountTokens) -> None:
        self._embed = embed
        self._count_tokens = count_tokens
        self.of = lru_cache(maxsize=MAX_KEPT)(self._of)

    def knows(self, word: str) -> bool:
        """Whether the model has this word whole, as it has the common ones: it is spelt right."""
        return self._count_tokens([word])[0] == 1

    def _of(self, text: str) -> Sequence[float]:
        """The unit vector of a text; of one that the model cannot read whole, its parts' mean."""
        texts = [passage.text for passage in cut([Piece(text)], self._count_tokens)]
        return mean(self._embed(texts or [text]))


def check_length(text: str) -> None:
    """Raises BadInput for a query of too many words or characters."""
    if len(text.split()) > MAX_WORDS:
        raise BadInput(f"A query may have at most {MAX_WORDS:,} words.")
    if len(text) > MAX_CHARACTERS:
        raise BadInput(f"A query may have at most {MAX_CHARACTERS:,} characters.")


def mean(vectors: Sequence[Sequence[float]]) -> Sequence[float]:
    """The direction between unit vectors, as a unit vector; of one vector, that vector."""
    if len(vectors) == 1:
        return vectors[0]
    total = [math.fsum(numbers) for numbers in zip(*vectors, strict=True)]
    length = math.hypot(*total) or 1.0
    return [number / length for number in total]
