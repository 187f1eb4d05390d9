"""What a query finds in the text of a thing, on the thing's page."""

from __future__ import annotations

from typing import Any

import pytest
from lxml import html

from allthethings.assets.asset import AssetStatus as S
from allthethings.assets.locators import Heading, Page, TimeSpan
from allthethings.assets.transcripts import Line, pack
from allthethings.search.query_vectors import MAX_CHARACTERS, MAX_WORDS
from allthethings.web.text_view import PART
from tests.allthethings.web.in_memory import (
    HOSTILE,
    Memory,
    make_app,
    make_asset,
    make_hit,
    rendered,
    text_of,
)

PATH = f"/assets/{1:024x}"
TEXTS = [
    "A lens bends light. The tower stands on a rock.",
    "The keeper sleeps by day.",
    "Rain falls. Each lens has rings of glass. The sea is grey.",
    f"The fog signal is loud. {HOSTILE}",
]
ROWS: list[dict[str, Any]] = [
    {"position": position, "text": text, "locator": Page(position + 1), "embedded": True}
    for position, text in enumerate(TEXTS)
]
SAID = [
    Line(0.0, 2.0, "Good evening."),
    Line(2.0, 4.0, "Each lens has"),
    Line(4.0, 6.0, "rings of glass."),
    Line(60.0, 62.0, "The sea is grey."),
]
SPOKEN: list[dict[str, Any]] = [
    {"position": 0, "text": "Good evening. Each lens has rings of glass.",
     "locator": TimeSpan(0.0, 6.0), "embedded": True},
    {"position": 1, "text": "", "locator": TimeSpan(0.0, 6.0), "embedded": True},
    {"position": 2, "text": "The sea is grey.", "locator": TimeSpan(60.0, 62.0), "embedded": True},
]  # fmt: skip


def document(**changed: Any) -> Memory:
    given = {"content_type": "application/pdf", "text": "\n\n".join(TEXTS), **changed}
    return Memory([make_asset(1, S.SEARCHABLE, **given)], ROWS)


def recording() -> Memory:
    text = " ".join(line.text for line in SAID)
    return Memory([make_asset(1, S.SEARCHABLE, text=text, segments=pack(text, SAID))], SPOKEN)


def page(query: str = "", memory: Memory | None = None) -> html.HtmlElement:
    return rendered(memory or document(), f"{PATH}?{query}")


def places(tree: html.HtmlElement) -> list[str]:
    return [place for each in tree.xpath("//@data-places") for place in each.split()]


def test_without_a_query_nothing_is_marked_and_the_text_can_be_searched() -> None:
    tree = page()
    assert not tree.xpath("//mark | //*[@class='sentence'] | //*[@class='found']")
    [form] = tree.xpath("//form[@class='find']")
    assert (form.get("action"), form.get("method")) == (f"{PATH}#text", None)
    assert dict(form.fields) == {"query": ""}
    nothing = Memory([make_asset(1, S.PROCESSING)])
    assert not rendered(nothing, PATH).xpath("//form[@class='find']")


def test_a_query_marks_its_words_and_the_sentence_that_answers() -> None:
    tree = page("query=rings+of+a+lens")
    assert places(tree) == ["2"]
    assert tree.xpath("//mark/text()") == ["lens", "rings"]
    assert text_of(tree, "//*[@class='sentence']") == ["Each lens has rings of glass."]
    assert text_of(tree, "//*[@data-words]") == [" ".join(text.split()) for text in TEXTS]
    assert "Found 1 place for rings of a lens" in text_of(tree, "//*[@class='found']/p")[0]
    assert tree.xpath("//input[@id='find']/@value") == ["rings of a lens"]


def test_links_lead_from_place_to_place_and_back_to_the_results() -> None:
    tree = page("query=lens&kind=pdf&page=2&at=2")
    assert text_of(tree, "//*[@class='found']/p")[0] == "Found 2 places for lens 2 of 2"
    before, after, results = tree.xpath("//*[@class='found']//a/@href")
    assert before == after == f"{PATH}?query=lens&kind=pdf&page=2&at=0#p0"
    assert results == "/search?query=lens&kind=pdf&page=2"


def test_a_page_that_was_opened_at_no_place_leads_to_the_first_and_the_last() -> None:
    tree = page("query=lens")
    assert text_of(tree, "//*[@data-number]") == [""]
    before, after, _ = tree.xpath("//*[@class='found']//a/@href")
    assert (before, after) == (f"{PATH}?query=lens&at=2#p2", f"{PATH}?query=lens&at=0#p0")


def test_a_passage_that_a_search_found_by_its_meaning_is_a_place_too() -> None:
    tree = page("query=lens&at=1")
    assert places(tree) == ["0", "1", "2"]
    assert text_of(tree, "//*[@data-number]") == ["2 of 3"]
    assert len(tree.xpath("//*[@class='sentence']")) == 2
    assert places(page("query=lens&at=7")) == places(page("query=lens&at=x")) == ["0", "2"]


def test_what_is_not_there_is_said() -> None:
    tree = page("query=sourdough")
    [said] = text_of(tree, "//section[@aria-labelledby='text']/p[@class='empty']")
    assert said == "Nothing here matches the words of sourdough. Search all things for it."
    assert tree.xpath("//p[@class='empty']/a/@href") == ["/search?query=sourdough"]
    assert not tree.xpath("//*[@class='found']")


def test_a_query_that_cannot_be_read_is_said_and_kept() -> None:
    tree = page("query=kind:film+lens")
    assert "There is no kind 'film'" in text_of(tree, "//section//*[@role='alert']")[0]
    assert tree.xpath("//input[@id='find']/@value") == ["kind:film lens"]
    assert len(tree.xpath("//ol[@class='passages']/li")) == len(TEXTS)


@pytest.mark.parametrize("query", ["lens+" * (MAX_WORDS + 1), "a" * (MAX_CHARACTERS + 1)])
def test_a_query_that_is_too_long_is_refused_as_the_search_refuses_it(query: str) -> None:
    tree = page(f"query={query}")
    assert "A query may have at most 2" in text_of(tree, "//section//*[@role='alert']")[0]
    assert not places(tree)


def test_exact_phrases_and_filters_of_the_search_are_understood() -> None:
    tree = page('query="rings+of+glass"+kind:pdf+-tower')
    assert places(tree) == ["2"]
    assert tree.xpath("//mark/text()") == ["rings of glass"]


def test_markup_in_texts_and_queries_is_text() -> None:
    tree = rendered(document(title=HOSTILE), f"{PATH}?query=loud+%3Cscript%3Ealert&at=3")
    assert places(tree) == ["3"]
    assert HOSTILE in tree.xpath("string(//li[@id='p3'])")
    assert not tree.xpath("//main//li//script | //nav//script | //form//script")


def test_the_lines_of_a_recording_are_marked_as_one_text() -> None:
    tree = page("query=%22has+rings%22&at=1", recording())
    assert places(tree) == ["0"]
    assert text_of(tree, "//*[@data-number]") == ["1 of 1"]
    assert tree.xpath("//mark/text()") == ["has", "rings"]
    assert tree.xpath("//li[@id='p0'][.//mark][.//*[@id='p1']]")
    assert text_of(tree, "//*[@class='sentence']") == ["Each lens has", "rings of glass."]
    assert text_of(tree, "//*[@data-words]") == [line.text for line in SAID]


# -- a long text


def long() -> Memory:
    texts = [f"Verse {number} is sung." for number in range(1_000)]
    texts[700] = "The lens is praised."
    rows = [
        {"position": position, "text": text, "locator": Page(position + 1), "embedded": True}
        for position, text in enumerate(texts)
    ]
    text = "\n\n".join(texts)
    thing = make_asset(1, S.SEARCHABLE, content_type="application/pdf", text=text)
    return Memory([thing], rows)


def shown(tree: html.HtmlElement) -> tuple[str, str, int]:
    """The first and the last passage on the page, and how many there are."""
    ids = tree.xpath("//ol[contains(@class, 'passages')]/li/@id")
    return ids[0], ids[-1], len(ids)


@pytest.mark.parametrize(
    ("query", "first", "last", "links"),
    [
        ("", "p0", "p199", ["around=200#p200"]),
        ("at=500", "p400", "p599", ["around=399#p399", "around=600#p600"]),
        ("around=600", "p500", "p699", ["around=499#p499", "around=700#p700"]),
        ("at=999", "p800", "p999", ["around=799#p799"]),
        ("at=123456", "p800", "p999", ["around=799#p799"]),
        ("around=x", "p0", "p199", ["around=200#p200"]),
    ],
)
def test_of_a_long_text_a_part_is_shown(
    query: str, first: str, last: str, links: list[str]
) -> None:
    tree = page(query, long())
    assert shown(tree) == (first, last, PART)
    both = tree.xpath("//nav[@class='pages']//a/@href")
    assert both == 2 * [f"{PATH}?{link}" for link in links]
    assert tree.xpath("//@data-parts") == ["1000"]


def test_all_of_a_long_text_is_searched() -> None:
    tree = page("query=lens", long())
    assert places(tree) == ["700"]
    there = f"{PATH}?query=lens&at=700#p700"
    assert tree.xpath("//*[@class='found']//a[@data-move]/@href") == [there]
    opened = page("query=lens&at=700", long())
    assert shown(opened) == ("p600", "p799", PART)
    assert opened.xpath("//li[@id='p700']//mark/text()") == ["lens"]
    kept = opened.xpath("//nav[@class='pages']//a/@href")[0]
    assert kept == f"{PATH}?query=lens&around=599#p599"


def test_a_text_that_is_a_little_longer_than_a_part_is_shown_whole() -> None:
    memory = long()
    memory.passages_of = memory.passages_of[: PART * 3 // 2]
    tree = page(memory=memory)
    assert shown(tree)[2] == PART * 3 // 2
    assert not tree.xpath("//nav[@class='pages'] | //@data-parts")


@pytest.mark.parametrize(
    ("locator", "kind", "place", "link"),
    [
        (Page(3), "application/pdf", "page 3", "#page=3"),
        (Heading("Glass & <b>light</b>"), "text/html", "Glass & <b>light</b>",
         "#:~:text=A%20lens%20bends%20light."),
    ],
)  # fmt: skip
def test_a_passage_says_where_it_stands_in_the_original(
    locator: Any, kind: str, place: str, link: str
) -> None:
    rows = [{"position": 0, "text": "A lens bends light.", "locator": locator, "embedded": True}]
    memory = Memory([make_asset(1, S.SEARCHABLE, content_type=kind, text="x")], rows)
    [passage] = page(memory=memory).xpath("//ol[@class='passages']/li/p")
    assert passage.get("data-place") == place
    assert passage.get("data-link") == f"https://radio.test/1.mp3{link}"


def test_a_result_leads_to_its_passage_with_the_query() -> None:
    memory = document()
    memory.hits = [make_hit(TEXTS[0], 0.7, Page(1))]
    tree = rendered(memory, "/search?query=lens&kind=pdf")
    there = f"{PATH}?query=lens&kind=pdf&at=0#p0"
    assert tree.xpath("//h3/a/@href") == [there]
    assert tree.xpath("//a[.='in the full text']/@href") == [there]
    told = (
        make_app(memory)
        .test_client()
        .get("/search?query=lens", headers={"Accept": "application/json"})
    )
    assert told.json is not None
    assert "page" not in told.json["results"][0]["passages"][0]


def test_a_pasted_paragraph_stays_out_of_the_address() -> None:
    memory = document()
    memory.hits = [make_hit(TEXTS[0], 0.7, Page(1))]
    answer = make_app(memory).test_client().post("/search", data={"query": "A lens. " * 300})
    tree = html.document_fromstring(answer.text)
    assert tree.xpath("//h3/a/@href") == [f"{PATH}?at=0#p0"]
