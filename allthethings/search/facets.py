"""How many of the things that matched are of each kind, of each site and of each year."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence

from allthethings.search.results import Facets, Hit

# The best things that are counted. A count of all would need a search of the whole index.
MAX_COUNTED = 100


def count(hits: Sequence[Hit], searchable: Callable[[Collection[str]], Collection[str]]) -> Facets:
    """The facets of hits, best first. Of some ids, `searchable` gives those of searchable things:
    the word index holds passages of things under way, the vector index hardly any."""
    best: dict[str, Hit] = {}
    for hit in hits:
        if hit.by_meaning or hit.by_words:
            best.setdefault(hit.asset_id, hit)
    near = {hit.asset_id for hit in hits if hit.similarity is not None}
    unclear = [each for each in best if each not in near][:MAX_COUNTED]
    there = near | set(searchable(unclear) if unclear else ())
    counted = [hit for key, hit in best.items() if key in there][:MAX_COUNTED]
    return Facets(
        len(counted),
        _most_first(hit.kind for hit in counted),
        _most_first(hit.site for hit in counted),
        _most_first(str(hit.added.year) if hit.added else "" for hit in counted),
    )


def _most_first(values: Iterable[str]) -> dict[str, int]:
    """How often each value comes, but for empty ones, which older passages have."""
    found = Counter(filter(None, values))
    return dict(sorted(found.items(), key=lambda each: (-each[1], each[0])))
