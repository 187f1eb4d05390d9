"""What meaning misses is found by words, what words miss by meaning, and results say which."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lxml import html

from tests.allthethings.search.library import (
    Library,
    Searcher,
    Thing,
    another_app,
    near_to,
    vector_of,
)
from tests.allthethings.search.refusing_stage import Refusing, refusing_stage
from tools.harness.cloud import Cloud

QUESTION = "which vessel was it that never came home"
CODE = "qx7741z"


@pytest.fixture(scope="module")
def by_meaning(library: Library) -> str:
    """A thing that speaks of what QUESTION asks for, with no word of it."""
    return library.put(Thing(["The trawler left at dawn."], vectors=[near_to(vector_of(QUESTION))]))


@pytest.fixture(scope="module")
def by_words(library: Library) -> str:
    return library.put(Thing([f"Valve {CODE} sticks.", "Another matter."], title="A list of parts"))


def test_meaning_finds_what_words_miss(search: Searcher, by_meaning: str) -> None:
    first, *others = search.answer(QUESTION)["results"]
    assert first["asset_id"] == by_meaning
    assert (first["matched"], first["strength"]) == ("meaning", "strong")
    assert first["similarity"] == pytest.approx(0.958, abs=0.02)
    assert first["passages"][0]["parts"] == [["The trawler left at dawn.", False]]
    assert all(other["matched"] == "nothing" for other in others)


def test_words_find_what_meaning_misses(search: Searcher, by_words: str) -> None:
    first, *others = search.answer(CODE)["results"]
    assert first["asset_id"] == by_words
    assert (first["matched"], first["strength"]) == ("words", "strong")
    best = first["passages"][0]
    assert best["text"] == f"Valve {CODE} sticks."
    assert best["parts"] == [["Valve ", False], [CODE, True], [" sticks.", False]]
    assert all(other["matched"] == "nothing" for other in others)


def test_a_title_is_found_too(search: Searcher, library: Library) -> None:
    titled = library.put(Thing(["Nothing of it here."], title="Ombrellino"))
    assert search.ids("ombrellino")[0] == titled


def test_other_forms_of_a_word_are_found(search: Searcher, library: Library) -> None:
    thing = library.put(Thing(["Two xylophonists were tuning zithers."]))
    first = search.answer("xylophonist zither tunes")["results"][0]
    assert first["asset_id"] == thing
    marked = [part for part, matches in first["passages"][0]["parts"] if matches]
    assert marked == ["xylophonists", "tuning zithers"]  # what follows one another is one mark


def test_both_sides_together(search: Searcher, library: Library) -> None:
    text = "The unlikely umbrellabird."
    both = library.put(Thing([text]))
    first = search.answer("unlikely umbrellabird", code=200)["results"][0]
    assert (first["asset_id"], first["matched"]) == (both, "words")
    first = search.answer("The unlikely umbrellabird.")["results"][0]
    assert (first["asset_id"], first["matched"]) == (both, "both")
    assert first["similarity"] == pytest.approx(1.0, abs=1e-3)
    assert first["score"] == pytest.approx(1.0, abs=1e-3)


def test_the_page_says_what_matched(search: Searcher, by_words: str, by_meaning: str) -> None:
    for query, thing, said in (
        (CODE, by_words, "strong match: words"),
        (QUESTION, by_meaning, "strong match: meaning"),
    ):
        page = html.document_fromstring(search.page(query))
        [result] = page.xpath(f"//*[@data-result='{thing}']")
        assert result.get("data-strength") == "strong"
        assert result.xpath(".//*[@class='match']/text()") == [said]


def test_where_nothing_is_close_the_page_says_so(search: Searcher) -> None:
    answer = search.answer("wqxz jjkv")
    assert answer["results"]
    assert not answer["close"]
    assert {result["strength"] for result in answer["results"]} == {"none"}
    page = html.document_fromstring(search.page("wqxz jjkv"))
    assert "Nothing matches closely." in page.xpath("string(//main)")
    assert search.answer(CODE)["close"]


@pytest.mark.parametrize("end", ["fail", "null", "wrong"])
def test_words_alone_where_the_model_fails(search: Searcher, by_words: str, end: str) -> None:
    answer = search.answer(f"{CODE} vectors:{end}")
    assert (answer["words_alone"], answer["away"]) == (True, "model")
    assert not answer["meaning_alone"]
    assert [result["asset_id"] for result in answer["results"]] == [by_words]


@pytest.fixture(scope="module")
def away(cloud: Cloud, library: Library) -> Iterator[Searcher]:
    assert library
    with another_app(cloud, REPLICATE_BASE_URL="http://127.0.0.1:9") as address:
        searcher = Searcher(cloud, address)
        yield searcher
        searcher.http.close()


def test_words_alone_find_and_the_page_says_so(away: Searcher, by_words: str) -> None:
    answer = away.answer(CODE)
    assert answer["words_alone"]
    assert [result["asset_id"] for result in answer["results"]] == [by_words]
    assert answer["results"][0]["matched"] == "words"
    assert "The model that reads queries is not available" in away.page(CODE)
    assert answer["away"] == "model"


def test_pages_and_filters_work_all_the_same(away: Searcher, library: Library) -> None:
    wanted = {
        str(row["asset_id"])
        for row in library.passages.find({"text": {"$regex": "granite"}, "kind": "audio"})
    } & {str(asset["_id"]) for asset in library.assets.find({"status": "SEARCHABLE"})}
    titled = library.assets.find({"title": {"$regex": "granite"}, "status": "SEARCHABLE"})
    wanted |= {str(one["_id"]) for one in titled if one["content_type"] != "text/html"}
    found = away.all_ids("granite", kind="audio")
    assert sorted(found) == sorted(wanted)


def test_what_needs_no_model_is_whole(away: Searcher, by_words: str) -> None:
    answer = away.answer(like=by_words)
    assert (answer["words_alone"], answer["away"]) == (False, None)
    assert answer["results"]


def test_nothing_found_by_words_is_no_fault(away: Searcher) -> None:
    answer = away.answer("wqxz")
    assert (answer["words_alone"], answer["results"]) == (True, [])
    assert "Nothing was found" in away.page("wqxz")


def test_without_mongodb_it_is_not_available(cloud: Cloud) -> None:
    away = "mongodb://127.0.0.1:9/?directConnection=true&serverSelectionTimeoutMS=300"
    with another_app(cloud, MONGODB_CONNECTION_URI=away) as address:
        searcher = Searcher(cloud, address)
        with searcher.http:
            assert "MongoDB is not available" in searcher.answer("x", 503)["error"]
            assert "MongoDB is not available" in searcher.page("x", 503)
            assert searcher.answer(like="0" * 24, code=503)["error"]


@pytest.fixture(scope="module")
def refusing(cloud: Cloud, library: Library) -> Iterator[tuple[Refusing, Searcher]]:
    """A database that refuses the stage it is told to refuse, and an app over it."""
    assert library
    with (
        refusing_stage(cloud.endpoints["MONGODB_CONNECTION_URI"]) as database,
        another_app(cloud, MONGODB_CONNECTION_URI=database.uri) as address,
    ):
        searcher = Searcher(cloud, address)
        yield database, searcher
        searcher.http.close()


@pytest.mark.parametrize(
    ("stage", "away", "alone", "said"),
    [
        ("$search", "word_search", "meaning", "Search by words is not available"),
        ("$vectorSearch", "vector_search", "words", "Search by meaning is not available"),
    ],
)
def test_one_side_alone_answers_and_says_so(
    refusing: tuple[Refusing, Searcher],
    by_meaning: str,
    by_words: str,
    stage: str,
    away: str,
    alone: str,
    said: str,
) -> None:
    database, search = refusing
    query, wanted = (QUESTION, by_meaning) if alone == "meaning" else (CODE, by_words)
    database.stage = stage
    answer = search.answer(query)
    assert answer["results"][0]["asset_id"] == wanted
    assert answer["results"][0]["matched"] == alone
    assert answer["away"] == away
    assert (answer["words_alone"], answer["meaning_alone"]) == (alone == "words", alone != "words")
    page = search.page(query)
    assert said in page
    assert f"These results match by {alone} only" in page
    database.stage = ""
    answer = search.answer(query)
    assert (answer["away"], answer["words_alone"], answer["meaning_alone"]) == (None, False, False)


@pytest.mark.parametrize("query", [f'"{CODE}"', f"valve -{CODE}"])
def test_what_only_the_word_search_knows_is_not_guessed(
    refusing: tuple[Refusing, Searcher], by_words: str, query: str
) -> None:
    database, search = refusing
    database.stage = "$search"
    error = search.answer(query, 503)["error"]
    assert "exact phrases and excluded words. Leave them out" in error
    assert error in search.page(query, 503)
    database.stage = ""
    assert (by_words in search.ids(query)) == ("-" not in query)
