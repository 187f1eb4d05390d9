"""From both sides' passages to one row of things."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from random import Random
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allthethings.assets.asset import Asset, AssetStatus
from allthethings.assets.locators import WHOLE
from allthethings.errors import RequestRefused, ServiceUnavailable, UnusableThing
from allthethings.search.query_vectors import QueryVectors
from allthethings.search.ranking import fuse, similarity
from allthethings.search.results import Away, Hit, Result
from allthethings.search.search import CANDIDATES, RESULTS_PER_PAGE, SHOWN_PASSAGES, Search
from allthethings.search.syntax import Query
from allthethings.store.conditions import Scope
from allthethings.store.documents import Document

AT = datetime(2025, 3, 1, tzinfo=UTC)
TEXT = "bright lamps over dark water"


def row(asset: int, position: int, score: float, words: Sequence[str] = ()) -> Document:
    return {
        "_id": f"{asset:024x}:{position}",
        "asset_id": f"{asset:024x}",
        "position": position,
        "text": TEXT,
        "locator": {},
        "score": score,
        "words": list(words),
    }


# Few different scores, so that many are the same.
places = st.tuples(st.integers(0, 5), st.integers(0, 5))
near_rows = st.dictionaries(places, st.integers(20, 100)).map(
    lambda scores: [row(*place, score / 100) for place, score in scores.items()]
)
matching_rows = st.dictionaries(places, st.integers(1, 40)).map(
    lambda scores: [row(*place, score / 4, ["lamps"]) for place, score in scores.items()]
)


def keys(hits: Iterable[Hit]) -> list[tuple[str, int]]:
    return [(hit.asset_id, hit.position) for hit in hits]


def best_first(rows: Iterable[Document]) -> list[tuple[str, int]]:
    ordered = sorted(rows, key=lambda row: (-row["score"], row["asset_id"], row["position"]))
    return [(row["asset_id"], row["position"]) for row in ordered]


@given(near_rows, matching_rows)
def test_every_passage_comes_once_best_first(
    near: list[Document], matching: list[Document]
) -> None:
    hits = fuse(TEXT, near, matching)
    assert sorted(keys(hits)) == sorted({(r["asset_id"], r["position"]) for r in near + matching})
    order = [(-hit.score, hit.asset_id, hit.position) for hit in hits]
    assert order == sorted(order)
    assert all(-1e-9 <= hit.score <= 1 + 1e-9 for hit in hits)


@given(near_rows, matching_rows, st.randoms())
def test_the_order_of_the_rows_changes_nothing(
    near: list[Document], matching: list[Document], random: Any
) -> None:
    hits = fuse(TEXT, near, matching)
    for rows in (near, matching):
        random.shuffle(rows)
    assert fuse(TEXT, near, matching) == hits


@given(matching_rows)
def test_words_alone_keep_the_order_of_the_words(matching: list[Document]) -> None:
    hits = fuse(TEXT, [], matching)
    assert keys(hits) == best_first(matching)
    assert all(hit.similarity is None and not hit.by_meaning for hit in hits)


@given(near_rows)
def test_meaning_alone_keeps_the_order_of_the_distances(near: list[Document]) -> None:
    hits = fuse(TEXT, near, [])
    found = {key: hit.similarity for key, hit in zip(keys(hits), hits, strict=True)}
    assert found == {(r["asset_id"], r["position"]): similarity(r["score"]) for r in near}
    close = [key for key, hit in zip(keys(hits), hits, strict=True) if hit.score > 0]
    assert close == best_first(near)[: len(close)]
    assert not any(hit.words or hit.by_words for hit in hits)


@given(near_rows, matching_rows)
def test_of_two_as_near_the_one_with_better_words_is_first(
    near: list[Document], matching: list[Document]
) -> None:
    by_words = {(r["asset_id"], r["position"]): r["score"] for r in matching}
    hits = fuse(TEXT, near, matching)
    for one, other in pairwise(hits):
        if one.similarity is not None and one.similarity == other.similarity:
            better, worse = (by_words.get(key, 0.0) for key in keys([one, other]))
            assert better >= worse


@pytest.mark.parametrize(
    ("query", "words", "match"),
    [
        ("My jam won't set, what did I do wrong?", ["jam", "set"], True),
        ("My jam won't set, what did I do wrong?", ["what", "did", "do", "wrong"], False),
        ("How do bees tell each other where they are?", ["how", "each", "where", "tell"], False),
        ("Which lake is pink?", ["lake"], False),
        ("Which lake is pink?", ["lakes", "pink"], True),
        ("sourdough", ["sourdough"], True),
        ("who are you", ["who", "you"], True),
        ("?!", [], False),
    ],
)
def test_words_that_most_questions_have_match_nothing(
    query: str, words: list[str], match: bool
) -> None:
    [hit] = fuse(query, [], [row(1, 0, 5.0, words)])
    assert hit.by_words is match


@pytest.mark.parametrize(("cosine", "score"), [(1.0, 1.0), (0.0, 1 / 3), (-1.0, 0.2), (0.5, 0.5)])
def test_the_cosine_of_a_score(cosine: float, score: float) -> None:
    assert similarity(score) == pytest.approx(cosine)


@pytest.mark.parametrize(
    ("cosines", "by_words", "matched", "strength"),
    [
        ([0.7], False, "meaning", "strong"),
        ([0.4], False, "meaning", "weak"),
        ([0.7], True, "both", "strong"),
        ([None], True, "words", "strong"),
        ([0.1], True, "words", "strong"),
        ([0.1], False, "nothing", "none"),
        ([None], False, "nothing", "none"),
        ([0.1, 0.7], False, "meaning", "strong"),
    ],
)
def test_a_result_says_what_matched(
    cosines: list[float | None], by_words: bool, matched: str, strength: str
) -> None:
    hits = [Hit("a", 0, TEXT, WHOLE, 0.5, cosine, by_words=by_words) for cosine in cosines]
    result = Result(asset_of("a" * 24), hits)
    assert (result.matched, result.strength) == (matched, strength)


def asset_of(asset_id: str, status: AssetStatus = AssetStatus.SEARCHABLE) -> Asset:
    return Asset(asset_id, f"http://x.test/{asset_id}", status, "text/html", None, AT, AT)


@dataclass
class Memory:
    """In the place of the stores and of the search indexes; all rows are kept best first. The text
    of the `replaced` things is being replaced; `given` counts the rows of all answers."""

    things: Mapping[str, Asset]
    near: Sequence[Document]
    texts: Sequence[Document]
    replaced: frozenset[str] = frozenset()
    given: int = 0

    @property
    def assets(self) -> Memory:
        return self

    @property
    def passages(self) -> Memory:
        return self

    @property
    def passage_index(self) -> Memory:
        return self

    @property
    def revisions(self) -> Memory:
        return self

    def in_two_versions(self) -> frozenset[str]:
        return self.replaced

    def many(self, asset_ids: Iterable[str]) -> dict[str, Asset]:
        return {key: self.things[key] for key in asset_ids if key in self.things}

    def nearest(self, _vector: Sequence[float], scope: Scope, limit: int) -> list[Document]:
        return self._best(self.near, scope, limit)

    def matching(
        self, _words: str, _phrases: Sequence[str], scope: Scope, limit: int
    ) -> list[Document]:
        return self._best(self.texts, scope, limit)

    def _best(self, rows: Sequence[Document], scope: Scope, limit: int) -> list[Document]:
        found = [each for each in rows if str(each["asset_id"]) not in scope.never][:limit]
        self.given += len(found)
        return found

    def near_words(self, _word: str) -> list[list[str]]:
        return []

    def searchable(self, asset_ids: Iterable[str]) -> set[str]:
        found = self.many(asset_ids).items()
        return {key for key, asset in found if asset.status is AssetStatus.SEARCHABLE}


def search_in(memory: Memory, problem: Exception | None = None) -> Search:
    def embed(texts: Sequence[str]) -> Sequence[Sequence[float]]:
        if problem:
            raise problem
        return [[1.0] for _ in texts]

    vectors = QueryVectors(embed, lambda texts: [len(text.split()) for text in texts])
    return Search(cast(Any, memory), vectors)


def some_world(seed: int) -> Memory:
    """Some hundreds of passages; a few things have most of them, and some are not searchable."""
    rng = Random(seed)
    sizes = [rng.choice([1, 2, 3, 5]) for _ in range(rng.randint(20, 120))]
    sizes[0] = rng.choice([3, 150, 700])
    places = [(thing, place) for thing, size in enumerate(sizes) for place in range(size)]
    near = [row(*place, rng.choice([rng.uniform(0.2, 1.0), 0.4])) for place in places]
    held = rng.sample(places, len(places) // rng.choice([1, 2, 10]))
    texts = [row(*place, rng.uniform(0.1, 9.0), ["lamps"]) for place in held]
    statuses = [AssetStatus.SEARCHABLE] * 9 + [AssetStatus.GENERATING_EMBEDDINGS]
    things = [asset_of(f"{thing:024x}", rng.choice(statuses)) for thing in range(len(sizes))]
    for rows in (near, texts):
        rows.sort(key=lambda row: -row["score"])
    replaced = frozenset(thing.id for thing in things if rng.random() < rng.choice([0, 0.2]))
    return Memory({thing.id: thing for thing in things}, near, texts, replaced)


@pytest.mark.parametrize("seed", range(40))
def test_the_pages_are_one_row_of_all_things(seed: int) -> None:
    memory = some_world(seed)
    search, ids, page, more = search_in(memory), list[str](), 0, True
    while more:
        page += 1
        found = search.search(Query("lamps"), page)
        assert len(found.results) == RESULTS_PER_PAGE or not found.more
        assert all(1 <= len(result.passages) <= SHOWN_PASSAGES for result in found.results)
        ids += [result.asset.id for result in found.results]
        more = found.more
    wanted = {key for key, thing in memory.things.items() if thing.status is AssetStatus.SEARCHABLE}
    assert len(ids) == len(set(ids))
    assert set(ids) == wanted
    assert not search.search(Query("lamps"), page + 1).results


def test_a_few_books_are_found_by_a_few_of_their_passages() -> None:
    books = [(thing, place) for place in range(3_000) for thing in range(5)]
    near = [row(*each, 0.5) for each in books]
    texts = [row(*each, 5.0, ["lamps"]) for each in books]
    memory = Memory({key: asset_of(key) for key in (f"{n:024x}" for n in range(5))}, near, texts)
    found = search_in(memory).search(Query("lamps"))
    assert [len(result.passages) for result in found.results] == [SHOWN_PASSAGES] * 5
    assert (found.more, found.facets.things) == (False, 5)
    assert memory.given == 2 * CANDIDATES


def test_scores_of_things_further_back_are_not_better() -> None:
    """Those further back are looked for apart from the best one."""
    crowd = [row(0, place, 9.0, ["lamps"]) for place in range(CANDIDATES)]
    others = [row(thing, 0, 0.5, ["lamps"]) for thing in range(1, 30)]
    things = {key: asset_of(key) for key in (f"{number:024x}" for number in range(30))}
    found = search_in(Memory(things, [], [*crowd, *others])).search(Query("lamps"))
    best, *rest = [result.score for result in found.results]
    assert len(rest) == RESULTS_PER_PAGE - 1
    assert max(rest) < best / 10


@pytest.mark.parametrize(
    "problem",
    [
        ServiceUnavailable("Replicate", "no answer"),
        RequestRefused("Replicate refused the request (402): pay first"),
        UnusableThing("The embedding model answered 0 vectors for 1 texts."),
    ],
)
def test_without_vectors_the_words_find(problem: Exception) -> None:
    memory = some_world(1)
    found = search_in(memory, problem).search(Query("lamps"))
    assert (found.away, found.words_alone) == (Away.MODEL, True)
    assert {result.matched for result in found.results} == {"words"}


class WithoutVectors(Memory):
    """Its vector search is away."""

    def nearest(self, _vector: Sequence[float], _scope: Scope, limit: int) -> list[Document]:
        raise ServiceUnavailable("MongoDB", f"no {limit} passages")


def test_without_the_vector_search_the_words_find() -> None:
    there = some_world(1)
    found = search_in(WithoutVectors(there.things, there.near, there.texts)).search(Query("lamps"))
    assert (found.away, found.words_alone) == (Away.VECTOR_SEARCH, True)
    assert {result.matched for result in found.results} == {"words"}


class WithoutWords(Memory):
    """Its search for words is away."""

    def matching(self, *_given: Any) -> list[Document]:
        raise ServiceUnavailable("MongoDB", "it refuses $search")


def test_without_the_search_for_words_meaning_finds() -> None:
    there = some_world(1)
    found = search_in(WithoutWords(there.things, there.near, there.texts)).search(Query("lamps"))
    assert (found.away, found.words_alone, found.meaning_alone) == (Away.WORD_SEARCH, False, True)
    assert len(found.results) == RESULTS_PER_PAGE
    assert {result.matched for result in found.results} <= {"meaning", "nothing"}


def test_without_both_sides_there_is_no_answer() -> None:
    there = some_world(1)
    memory = WithoutWords(there.things, there.near, there.texts)
    with pytest.raises(ServiceUnavailable, match="it refuses"):
        search_in(memory, ServiceUnavailable("Replicate", "no answer")).search(Query("lamps"))


class AwayOnce(Memory):
    """A side that fails when it is asked for the first time, and then answers."""

    failures = 0

    def nearest(self, vector: Sequence[float], scope: Scope, limit: int) -> list[Document]:
        self.failures += 1
        if self.failures == 1:
            raise ServiceUnavailable("MongoDB", "not yet")
        return super().nearest(vector, scope, limit)


def test_a_side_that_was_away_for_a_part_of_the_search_is_named() -> None:
    """One thing has more passages than are looked up at first, so the sides are asked again."""
    things = {key: asset_of(key) for key in (f"{number:024x}" for number in range(30))}
    crowd = [row(0, place, 9.0, ["lamps"]) for place in range(CANDIDATES)]
    others = [row(thing, 0, 5.0, ["lamps"]) for thing in range(1, 30)]
    memory = AwayOnce(things, [row(5, 0, 0.9)], [*crowd, *others])
    found = search_in(memory).search(Query("lamps"))
    assert len(found.results) == RESULTS_PER_PAGE
    assert (found.away, memory.failures) == (Away.VECTOR_SEARCH, 1)
    assert {result.matched for result in found.results} == {"words"}


def test_a_phrase_that_nothing_holds_asks_nothing_else() -> None:
    class Holding(Memory):
        def things_with(self, *_given: Any) -> dict[str, set[int | None]]:
            return {}

    memory = Holding({}, [], [])
    found = search_in(memory, ServiceUnavailable("Replicate", "no answer")).search(
        Query("lamps", ("lamps",))
    )
    assert (found.results, found.away) == ([], None)


def test_passages_of_another_text_than_the_present_one_count_for_nothing() -> None:
    """While a text is replaced, the indexes hold both."""
    keys = [f"{number:024x}" for number in range(3)]
    things = {key: replace(asset_of(key), revision=2) for key in keys}
    rows = [{**row(0, 0, 0.9), "_id": "old", "revision": 1}, {**row(1, 0, 0.8), "revision": 2}]
    found = search_in(Memory(things, rows, [])).search(Query("lamps"))
    assert [result.asset.id for result in found.results] == [keys[1]]

    class Holding(Memory):
        scope: Scope | None = None

        def things_with(self, *_given: Any) -> dict[str, set[int | None]]:
            return {keys[0]: {1}, keys[1]: {1, 2}, keys[2]: {None, 3}}

        def nearest(self, vector: Sequence[float], scope: Scope, limit: int) -> list[Document]:
            self.scope = scope
            return super().nearest(vector, scope, limit)

    holding = Holding(things, rows, [], frozenset(keys))
    search_in(holding).search(Query("lamps", ("lamps",)))
    assert holding.scope is not None
    assert holding.scope.only == frozenset({keys[1]})


def test_a_fault_of_ours_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        search_in(some_world(1), ZeroDivisionError()).search(Query("lamps"))
