"""Titles for what somebody has typed so far."""

from __future__ import annotations

import pytest

from allthethings.web.suggestions import MAX_WORDS, MOST
from tests.allthethings.search.library import Library, Searcher, Thing
from tools.harness.waiting import wait_for


@pytest.fixture(scope="module", autouse=True)
def animals(search: Searcher, library: Library) -> None:
    for title in ("The Great Quagga of 1870", "A quaggy marsh", "Über Quittung", "Quagga, great"):
        library.put(Thing([f"{title} it is." for _ in range(3)], title=title))
    for title in ("Don't look up", "Node.js by heart", "O'Brien's bus"):
        library.put(Thing(["A book."], title=title))
    library.put(Thing(["A copy."], title="A quaggy marsh"))
    library.put(Thing(["Soon."], title="Quagga to come", status="PROCESSED"))
    for number in range(MOST + 2):
        library.put(Thing(["Many."], title=f"Zebroid {number}"))
    last = f"Zebroid {MOST + 1}"
    wait_for(lambda: suggested(search, last) == [last], "the index follows")


def suggested(search: Searcher, query: str) -> list[str]:
    answer = search.http.get("/search/suggestions", params={"query": query})
    assert answer.status_code == 200, answer.text
    found: list[str] = answer.json()["suggestions"]
    return found


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("quagg", {"The Great Quagga of 1870", "A quaggy marsh", "Quagga, great"}),
        ("QUAGGA", {"The Great Quagga of 1870", "Quagga, great"}),
        ("great qu", {"The Great Quagga of 1870", "Quagga, great"}),
        ("quagga 18", {"The Great Quagga of 1870"}),
        ("uber qui", {"Über Quittung"}),
        ("a quaggy", {"A quaggy marsh"}),
        ("quagga marsh", set()),
        ("uagga", set()),
        ("don't", {"Don't look up"}),
        ("(node.js", {"Node.js by heart"}),
        ("node.", {"Node.js by heart"}),
        ("bus o'brien", {"O'Brien's bus"}),
        ("", set()),
        ("?!", set()),
        ("quagga " * (MAX_WORDS + 1), set()),
    ],
)
def test_titles_with_every_word_are_suggested_once(
    search: Searcher, query: str, titles: set[str]
) -> None:
    found = suggested(search, query)
    assert set(found) == titles
    assert len(found) == len(titles)


def test_there_are_only_some(search: Searcher) -> None:
    assert len(suggested(search, "zebroid")) == MOST
