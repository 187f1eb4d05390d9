"""How many of the things that matched are of each kind, site and year."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

import pytest
from bson import ObjectId

from allthethings.assets.locators import WHOLE
from allthethings.search.facets import MAX_COUNTED, count
from allthethings.search.results import WEAK, Facets, Hit
from tests.allthethings.search.library import Library, Searcher, Thing


def hit(number: int, similarity: float | None, kind: str = "audio", words: bool = False) -> Hit:
    return Hit(
        f"{number:024x}", 0, "Bees.", WHOLE, 0.5, similarity, by_words=words, kind=kind,
        site=f"{kind}.test", added=datetime(2020 + number % 2, 1, 1, tzinfo=UTC),
    )  # fmt: skip


def all_of(ids: Collection[str]) -> Collection[str]:
    return ids


def test_things_that_matched_are_counted_once() -> None:
    hits = [
        *(hit(1, 0.9), hit(1, 0.8), hit(2, 0.7, "pdf"), hit(3, WEAK, "pdf")),
        *(hit(4, None, "pdf", words=True), hit(5, WEAK / 2), hit(6, None)),
    ]
    assert count(hits, all_of) == Facets(
        things=4,
        kinds={"pdf": 3, "audio": 1},
        sites={"pdf.test": 3, "audio.test": 1},
        years={"2020": 2, "2021": 2},
    )
    assert list(count(hits, all_of).kinds) == ["pdf", "audio"]


def test_what_is_not_searchable_is_not_counted() -> None:
    asked: list[str] = []

    def none_of(ids: Collection[str]) -> Collection[str]:
        asked.extend(ids)
        return ()

    hits = [hit(1, None, words=True), hit(2, 0.9, words=True)]
    assert count(hits, none_of).things == 1
    assert asked == [hits[0].asset_id]


def test_the_best_are_counted() -> None:
    hits = [hit(number, 0.9, "pdf" if number < MAX_COUNTED else "audio") for number in range(200)]
    assert count(hits, all_of).kinds == {"pdf": MAX_COUNTED}


def test_passages_of_older_versions_are_of_no_kind() -> None:
    old = Hit("1" * 24, 0, "Bees.", WHOLE, 0.5, 0.9)
    assert count([old], all_of) == Facets(things=1)


@pytest.fixture(scope="module")
def shearwaters(library: Library) -> None:
    for number in range(7):
        thing = library.put(
            Thing(
                [f"The shearwater of bay {number}."],
                host="audio.test" if number < 3 else "www.page.test",
                content_type="audio/mpeg" if number < 3 else "text/html",
                added=datetime(2021 + number % 2, 5, 1, tzinfo=UTC),
                status="GENERATING_EMBEDDINGS" if number == 6 else "SEARCHABLE",
            )
        )
    without_vector = {"$unset": {"embedding": ""}}
    library.passages.update_many({"asset_id": ObjectId(thing)}, without_vector)


@pytest.mark.usefixtures("shearwaters")
def test_a_search_counts_and_each_filter_leaves_as_many(search: Searcher) -> None:
    facets = search.answer("shearwater")["facets"]
    assert facets == {
        "things": 6,
        "kind": [{"value": "audio", "count": 3}, {"value": "web page", "count": 3}],
        "site": [{"value": "audio.test", "count": 3}, {"value": "www.page.test", "count": 3}],
        "year": [{"value": "2021", "count": 3}, {"value": "2022", "count": 3}],
    }
    for name in ("kind", "site"):
        for each in facets[name]:
            narrowed = search.answer("shearwater", **{name: each["value"]})["facets"]
            assert narrowed["things"] == each["count"]
    year = search.answer("shearwater", after="2021", before="2022")["facets"]
    assert year["year"] == [{"value": "2021", "count": 3}]


def test_nothing_is_counted_where_nothing_matches(search: Searcher) -> None:
    answer = search.answer("wqxz jjkv")
    assert answer["results"]
    assert answer["facets"] == {"things": 0, "kind": [], "site": [], "year": []}
