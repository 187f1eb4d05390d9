"""How good a ranking is: the measures of TREC and BEIR, for one query each.

A ranking is ids of documents, best first, each once. Judgements give the relevance of documents, 0
or more; a document without one is not relevant. The values are those of pytrec_eval and BEIR
(https://github.com/beir-cellar/beir): nDCG with linear gains.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

Judgements = Mapping[str, int]


def ndcg(ranking: Sequence[str], judged: Judgements, depth: int) -> float:
    """Normalised discounted cumulative gain of the first `depth` documents, 0 to 1."""
    ideal = _dcg(sorted(judged.values(), reverse=True)[:depth])
    gained = _dcg([judged.get(each, 0) for each in ranking[:depth]])
    return gained / ideal if ideal else 0.0


def recall(ranking: Sequence[str], judged: Judgements, depth: int) -> float:
    """The share of the relevant documents that are among the first `depth`, 0 to 1."""
    relevant = {each for each, relevance in judged.items() if relevance > 0}
    return len(relevant & {*ranking[:depth]}) / len(relevant) if relevant else 0.0


def reciprocal_rank(ranking: Sequence[str], judged: Judgements, depth: int) -> float:
    """1 / the rank of the first relevant document among the first `depth`; 0 if there is none. Its
    mean over queries is MRR."""
    for rank, each in enumerate(ranking[:depth], 1):
        if judged.get(each, 0) > 0:
            return 1 / rank
    return 0.0


def _dcg(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))
