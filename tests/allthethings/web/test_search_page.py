"""The search page: links that keep everything, forms that say what was asked."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from lxml import html

from allthethings.assets.asset import AssetStatus as S
from allthethings.search.results import Away
from allthethings.search.search import LAST_PAGE
from allthethings.search.syntax import FIELDS, FILTERS, MAX_TERMS, Query
from allthethings.store.conditions import Condition
from tests.allthethings.web.in_memory import Memory, make_app, make_asset, make_hit

JSON = {"Accept": "application/json"}


def memory(*, more: bool = False) -> Memory:
    found = [make_asset(1, S.SEARCHABLE)]
    return Memory(found, hits=[make_hit("A dance of bees.", 0.7)], more=more)


def page_of(world: Memory, **parameters: object) -> html.HtmlElement:
    answer = make_app(world).test_client().get("/search?" + urlencode(parameters))
    assert answer.status_code == 200
    return html.document_fromstring(answer.text)


def parameters_of(tree: html.HtmlElement, rel: str) -> dict[str, list[str]]:
    [link] = tree.xpath(f"//a[@rel='{rel}']/@href")
    return parse_qs(urlsplit(link).query)


@pytest.mark.parametrize("query", ["bees", "1", "a & b=c #1 +2", '"a dance" -wasp site:x.org'])
def test_pages_keep_what_was_asked(query: str) -> None:
    asked = {"query": query, "kind": "audio", "site": "x.test", "after": "2024", "before": "2026"}
    tree = page_of(memory(more=True), **asked, page=2)
    kept = {name: [value] for name, value in asked.items()}
    assert parameters_of(tree, "next") == {**kept, "page": ["3"]}
    assert parameters_of(tree, "prev") == kept


def test_the_last_page_that_there_can_be_leads_no_further() -> None:
    client = make_app(memory(more=True)).test_client()
    for page, more in ((LAST_PAGE - 1, True), (LAST_PAGE, False), (LAST_PAGE + 1, False)):
        answer = client.get(f"/search?query=x&page={page}", headers=JSON).get_json()
        assert (answer["page"], answer["more"]) == (min(page, LAST_PAGE), more)
        tree = html.document_fromstring(client.get(f"/search?query=x&page={page}").text)
        assert bool(tree.xpath("//a[@rel='next']")) == more


def test_each_filter_has_a_field_and_an_example_and_is_reset() -> None:
    tree = page_of(Memory([make_asset(1, S.SEARCHABLE)]), query="bees", after="2024", site="x.org")
    form = "//form[@role='search']"
    assert set(tree.xpath(f"{form}//*[@class='filter-row']//@name")) == set(FIELDS)
    syntax = tree.get_element_by_id("syntax").text_content()
    for name, each in FILTERS.items():
        assert f"{name}:{each.example}" in syntax
    (link,) = tree.xpath("//a[text()='Search without the filters']/@href")
    assert link == "/search?query=bees"


@pytest.mark.parametrize("kind", ["web page", "page", "Page", "WEB"])
def test_the_form_shows_the_kind_however_it_was_written(kind: str) -> None:
    tree = page_of(memory(), query="bees", kind=kind)
    assert tree.xpath("//select[@name='kind']/option[@selected]/text()") == ["web page"]
    assert tree.xpath("//details[@open]//select[@name='kind']")


def test_the_form_holds_what_was_asked() -> None:
    asked = {"query": 'a "b" <c>', "site": "x.org", "after": "2024-02", "before": "2025"}
    tree = page_of(memory(), **asked)
    for name, value in asked.items():
        assert tree.xpath(f"//form[@role='search']//input[@name='{name}']/@value") == [value]


def test_a_pasted_text_is_looked_for_as_it_is() -> None:
    world = memory()
    text = 'He said "it dances"\n  site:here -not there, kind:of.'
    answer = (
        make_app(world)
        .test_client()
        .post("/search", data={"query": text, "kind": "audio"}, headers=JSON)
    )
    assert answer.status_code == 200
    said = 'He said "it dances" site:here -not there, kind:of.'
    assert world.asked == [Query(said, filters=(Condition("kind", "$eq", "audio"),))]


def test_a_pasted_text_stays_in_its_own_field() -> None:
    """In the other it would become a URL of any length."""
    text = "</textarea><b>Long</b>\n ago."
    answer = make_app(memory()).test_client().post("/search", data={"query": text})
    tree = html.document_fromstring(answer.text)
    assert tree.xpath("//details[@open]//textarea")[0].text == text
    assert tree.xpath("//input[@name='query']/@value") == [""]
    assert page_of(memory(), query="bees").xpath("//textarea")[0].text is None


def test_too_many_phrases_are_refused() -> None:
    client = make_app(memory()).test_client()
    words = [f"-w{number}" for number in range(MAX_TERMS)]
    for terms, code in ((words, 200), ([*words, '"one more"'], 400)):
        answer = client.get("/search", query_string={"query": " ".join(["x", *terms])})
        assert answer.status_code == code
    assert f"{MAX_TERMS} exact phrases" in answer.text


def test_matching_words_are_marked_and_the_rest_is_text() -> None:
    world = memory()
    text = "<mark>Bees</mark> dance; <b>bees</b> & wasps."
    hit = make_hit(text, 0.7)
    world.hits = [type(hit)(**{**vars(hit), "words": ("Bees", "bees", "b")})]
    tree = page_of(world, query="bees")
    assert tree.xpath("//mark/text()") == ["Bees", "b", "bees", "b"]
    assert not tree.xpath("//mark//*")
    [shown] = tree.xpath("//div[@class='hit']/p[mark]")
    assert shown.text_content().strip() == text


@pytest.mark.parametrize(
    ("away", "said"),
    [
        (Away.MODEL, "The model that reads queries is not available"),
        (Away.VECTOR_SEARCH, "Search by meaning is not available"),
    ],
)
def test_what_was_away_is_named(away: Away, said: str) -> None:
    world = memory()
    world.away = away
    assert said in page_of(world, query="bees").text_content()
    answer = make_app(world).test_client().get("/search?query=bees", headers=JSON).get_json()
    assert (answer["away"], answer["words_alone"]) == (away.value, True)


def test_nothing_is_said_to_be_away_when_all_was_there() -> None:
    assert "not available" not in page_of(memory(), query="bees").text_content()
    answer = make_app(memory()).test_client().get("/search?query=bees", headers=JSON).get_json()
    assert (answer["away"], answer["words_alone"]) == (None, False)
