"""More like this: a thing, one of its passages, or the URL of one."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from lxml import html

from tests.allthethings.search.library import Library, Searcher, Thing, near_to, vector_of


@dataclass(frozen=True)
class Family:
    """`thing` has a passage on each of two subjects; the others are about one of them, or both."""

    thing: str
    first: str
    second: str
    both: str
    spoken: str


@pytest.fixture(scope="module")
def family(library: Library) -> Family:
    one, two = vector_of("a subject"), vector_of("another subject")

    def put(*vectors: object, kind: str = "text/html") -> str:
        texts = [f"Passage {number}." for number in range(len(vectors))]
        near = [near_to(vector, 0.2) for vector in vectors]  # type: ignore[arg-type]
        return library.put(Thing(texts, vectors=near, content_type=kind, host="family.test"))

    between = [(a + b) / 2**0.5 for a, b in zip(one, two, strict=True)]
    return Family(put(one, two), put(one), put(two), put(between), put(one, kind="audio/mpeg"))


def test_things_like_a_thing(search: Searcher, family: Family) -> None:
    answer = search.answer(like=family.thing)
    found = [result["asset_id"] for result in answer["results"]]
    assert found[0] == family.both
    assert set(found[1:4]) == {family.first, family.second, family.spoken}
    assert family.thing not in search.all_ids("", like=family.thing)
    assert {result["matched"] for result in answer["results"][:4]} == {"meaning"}
    assert not answer["words_alone"]


@pytest.mark.parametrize("position", [0, 1])
def test_things_like_a_passage(search: Searcher, family: Family, position: int) -> None:
    found = search.ids("", like=f"{family.thing}:{position}")
    assert found[0] in ([family.first, family.spoken] if position == 0 else [family.second])
    assert family.thing not in found
    strong = [
        result["asset_id"]
        for result in search.answer(like=f"{family.thing}:{position}")["results"]
        if result["strength"] == "strong"
    ]
    assert (family.second in strong) == (position == 1)
    assert (family.first in strong) == (position == 0)


def test_the_filters_hold(search: Searcher, family: Family) -> None:
    assert search.ids("", like=family.thing, kind="audio", site="family.test") == [family.spoken]
    assert search.ids("-kind:page site:family.test", like=family.thing) == [family.spoken]
    assert search.ids("", like=family.thing, before="2000") == []


def test_the_url_of_a_thing_is_a_query(search: Searcher, library: Library, family: Family) -> None:
    url = library.url(family.thing)
    wanted = search.ids("", like=family.thing)
    for spelling in (url, url.replace("https://family", "https://FAMILY"), f"{url}#part"):
        assert search.ids(spelling) == wanted
    assert search.ids(f"{url} kind:audio site:family.test") == [family.spoken]
    page = html.document_fromstring(search.page(url))
    assert "More like" in page.xpath("string(//main)")
    assert page.xpath("//p[@class='lead']/a/@href") == [f"/assets/{family.thing}"]


def test_another_url_is_a_text(search: Searcher, library: Library) -> None:
    thing = library.put(Thing(["Look at https://no.such.test/umbrage for it."]))
    assert search.ids("https://no.such.test/umbrage")[0] == thing


def test_the_links_of_a_result_lead_to_its_like(search: Searcher, family: Family) -> None:
    tree = html.document_fromstring(search.page("", like=family.thing))
    [link] = tree.xpath(f"//*[@data-result='{family.both}']//a[text()='more like this']/@href")
    assert link == f"/search?like={family.both}"
    [link] = tree.xpath(
        f"//*[@data-result='{family.both}']//a[text()='more like this passage']/@href"
    )
    found = search.http.get(link).json()["results"]
    assert family.both not in [result["asset_id"] for result in found]
    assert tree.xpath("//form[@role='search']/input[@name='like']/@value") == [family.thing]


@pytest.mark.parametrize(
    "like", ["0" * 24, "6b0c99cb773f89577d88f5f5", "x", "x:1", ":1", "0" * 24 + ":0"]
)
def test_nobodys_like_is_not_found(search: Searcher, like: str) -> None:
    search.answer(like=like, code=404)
    assert "does not exist" in search.page(like=like, code=404)


def test_a_passage_that_is_not_there_has_no_like(search: Searcher, family: Family) -> None:
    assert search.answer(like=f"{family.thing}:99")["results"] == []
