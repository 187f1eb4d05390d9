"""Pages of results: one after the other, to be kept as bookmarks."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from lxml import html

from allthethings.search.search import LAST_PAGE, RESULTS_PER_PAGE
from tests.allthethings.search.library import (
    HTML,
    Library,
    Searcher,
    Thing,
    Wanted,
    census,
    near_to,
    scan,
    vector_of,
)


def results_of(page: str) -> list[str]:
    tree = html.document_fromstring(page)
    return [str(name) for name in tree.xpath("//*[@data-result]/@data-result")]


@pytest.mark.parametrize("query", ["granite near the harbour", "an ember", "no such words at all"])
def test_links_lead_over_every_page_and_back(
    search: Searcher, library: Library, query: str
) -> None:
    path, seen = "/search?query=" + query.replace(" ", "+") + "&before=2025", list[list[str]]()
    trail = [path]
    while path:
        page = search.http.get(path, headers=HTML).text
        seen.append(results_of(page))
        following = html.document_fromstring(page).xpath("//a[@rel='next']/@href")
        path = following[0] if following else ""
        trail += following
    together = [one for results in seen for one in results]
    assert [len(results) for results in seen[:-1]] == [RESULTS_PER_PAGE] * (len(seen) - 1)
    assert len(together) == len(set(together))
    assert len(together) == len(search.all_ids(query, before="2025")) > 40
    assert set(together) <= scan(census(library), Wanted())
    assert all("before=2025" in urlsplit(each).query for each in trail)
    # Each is a bookmark: asked again it is the same page.
    for address, results in zip(trail, seen, strict=True):
        assert results_of(search.http.get(address, headers=HTML).text) == results
    back = html.document_fromstring(page).xpath("//a[@rel='prev']/@href")[0]
    assert results_of(search.http.get(back, headers=HTML).text) == seen[-2]


def test_pages_beyond_the_last_are_empty(search: Searcher) -> None:
    for page in ("30", str(LAST_PAGE), str(LAST_PAGE + 1), "999999999"):
        answer = search.answer("granite", page=page)
        assert (answer["results"], answer["more"]) == ([], False)
    for page in ("0", "-1", "x", "1e3", ""):
        assert search.answer("granite", page=page)["page"] == 1


def test_a_thing_with_very_many_passages_leaves_room_for_others(
    search: Searcher, library: Library
) -> None:
    question = "who keeps the tower"
    vector = vector_of(question)
    texts = [f"The keeper of floor {number}." for number in range(450)]
    crowd = library.put(Thing(texts, vectors=[near_to(vector, 0.2) for _ in texts]))
    others = [
        library.put(Thing([f"A warden, {number}."], vectors=[near_to(vector, 0.6)]))
        for number in range(25)
    ]
    answers = list(search.all_pages(question))
    first = [result["asset_id"] for result in answers[0]["results"]]
    assert first[0] == crowd
    assert len(answers[0]["results"][0]["passages"]) == 5
    assert len(first) == RESULTS_PER_PAGE
    assert set(first[1:]) <= set(others)
    found = [result["asset_id"] for answer in answers for result in answer["results"]]
    assert found.count(crowd) == 1
    assert set(found[:26]) == {crowd, *others}
    assert set(found) == scan(census(library), Wanted())
