"""The search page: links that keep everything, forms that say what was asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from lxml import html

from allthethings.assets.asset import AssetStatus as S
from allthethings.assets.locators import WHOLE, Lines, Locator, Page, TimeSpan
from allthethings.assets.places import Place
from allthethings.search.answers import Answers
from allthethings.search.results import Away, Found, Result
from allthethings.search.search import LAST_PAGE
from allthethings.search.syntax import FIELDS, FILTERS, MAX_TERMS, Query
from allthethings.store.conditions import Condition
from allthethings.web.result_views import EXCERPT
from allthethings.web.services import parts_of, provide
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


def test_a_page_behind_the_last_says_so() -> None:
    tree = page_of(Memory([make_asset(1, S.SEARCHABLE)]), query="kite", page=9)
    (said,) = tree.xpath("//*[@class='empty']")
    assert "no more results" in said.text_content()
    assert said.xpath(".//a/@href") == ["/search?query=kite"]


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
    assert tree.xpath("//span[@class='sentence']/mark/text()") == ["Bees", "b", "bees", "b"]
    [shown] = tree.xpath("//p[@class='excerpt']")
    assert shown.text_content().strip() == text


SPOKEN = "A lamp lost most of its light. A lens of glass rings gathered it."
PLACES = (Place(0, TimeSpan(10.0, 14.5)), Place(31, TimeSpan(14.5, 18.25)))


def sentence_in(world: Memory, query: str) -> dict[str, Any]:
    """The passage that is found, as JSON."""
    answer = make_app(world).test_client().get(f"/search?query={query}", headers=JSON).get_json()
    passage: dict[str, Any] = answer["results"][0]["passages"][0]
    return passage


def test_the_sentence_that_answers_is_told_with_its_place() -> None:
    world = memory()
    whole = TimeSpan(10.0, 18.25)
    world.hits = [replace(make_hit(SPOKEN, 0.7, whole), places=PLACES)]
    passage = sentence_in(world, "glass lenses gathering light")
    assert passage["sentence"] == {
        "text": "A lens of glass rings gathered it.",
        "start": 31,
        "end": 65,
        "locator": {"start": 14.5, "end": 18.25},
        "by": "words",
    }
    assert passage["link"].endswith("/1.mp3#t=14.5")
    assert passage["locator"] == whole.stored()


def test_a_passage_without_a_word_of_the_query_is_opened_at_its_first_sentence() -> None:
    world = memory()
    world.hits = [replace(make_hit(SPOKEN, 0.7, TimeSpan(10.0, 18.25)), places=PLACES)]
    passage = sentence_in(world, "sourdough")
    assert (passage["sentence"]["start"], passage["sentence"]["by"]) == (0, None)
    assert passage["link"].endswith("#t=10")


@pytest.mark.parametrize(
    ("content_type", "link"),
    [
        ("text/html", "#:~:text=A%20lens%20of%20glass%20rings%20gathered%20it."),
        ("text/plain", "#:~:text=A%20lens%20of%20glass%20rings%20gathered%20it."),
        ("image/png", ""),
        ("application/epub+zip", ""),
    ],
)
def test_a_link_names_the_sentence_only_where_a_browser_finds_it(
    content_type: str, link: str
) -> None:
    world = memory()
    world.things = [make_asset(1, S.SEARCHABLE, content_type=content_type)]
    world.hits = [make_hit(SPOKEN, 0.7)]
    assert sentence_in(world, "lens")["link"] == f"https://radio.test/1.mp3{link}"


@pytest.mark.parametrize(
    ("content_type", "place", "words", "fragment"),
    [
        ("application/pdf", Page(173), "Open page 173", "#page=173"),
        ("image/png", Lines(3, 4), "Open the picture", ""),
        ("text/html", WHOLE, "Open at this sentence", "#:~:text=A%20lens"),
    ],
)
def test_the_button_says_what_it_opens(
    content_type: str, place: Locator, words: str, fragment: str
) -> None:
    world = memory()
    world.things = [make_asset(1, S.SEARCHABLE, content_type=content_type)]
    world.hits = [make_hit(SPOKEN, 0.7, place)]
    [link] = page_of(world, query="rings of a lens").xpath("//a[@data-open]")
    assert link.text == words
    assert link.get("href").startswith(f"https://radio.test/1.mp3{fragment}")


def test_the_button_of_a_file_in_an_archive_leads_to_its_page() -> None:
    world = memory()
    address = "https://box.test/kites%20%26%20tails.zip#member=notes/line.txt"
    world.things = [make_asset(1, S.SEARCHABLE, url=address, content_type="text/plain")]
    world.hits = [make_hit(SPOKEN, 0.7)]
    tree = page_of(world, query="rings of a lens")
    [link] = tree.xpath("//a[@data-open]")
    there = f"/assets/{1:024x}?query=rings+of+a+lens&at=0#p0"
    assert (link.text, link.get("href")) == ("Open at this passage", there)
    assert "in kites & tails.zip" in tree.xpath("//p[@class='facts']/span/text()")
    assert tree.xpath("//a[text()='the archive']/@href") == [address]
    assert sentence_in(world, "lens")["link"] == address


def test_an_answer_chosen_by_its_meaning_keeps_the_search_too() -> None:
    """The page asks for it with an address of its own, as a model takes a moment."""
    world = memory()
    url = "https://box.test/kites.zip#member=line.txt"
    world.things = [make_asset(1, S.SEARCHABLE, url=url, content_type="text/plain")]
    world.hits = [make_hit(SPOKEN, 0.7)]
    row = {"asset_id": f"{1:024x}", "position": 0, "text": SPOKEN, "locator": {}}
    world.passages_of = [row]
    app = make_app(world)
    provide(app, replace(parts_of(app), answers=Answers(None, lambda _texts: None)))
    client = app.test_client()
    asked = {"query": "rings of a lens", "kind": "text", "page": "2"}
    tree = html.document_fromstring(client.get("/search", query_string=asked).text)
    [answers] = tree.xpath("//@data-answers")
    chosen = client.get(f"{answers}&passages={1:024x}:0")
    [link] = html.fragment_fromstring(chosen.text, create_parent=True).xpath("//a[@data-open]")
    assert link.get("href") == tree.xpath("//a[@data-open]/@href")[0]
    assert parse_qs(urlsplit(link.get("href")).query)["page"] == ["2"]


@pytest.mark.parametrize(
    ("similarities", "sentence", "folded"),
    [
        ((0.7, 0.1), "1 weaker match", 1),
        # What stands before a match has the better score.
        ((0.1, 0.7, 0.1, 0.7), "1 weaker match", 1),
        ((0.1, 0.1), "Nothing matches closely. The 2 nearest:", 0),
        ((0.1,), "Nothing matches closely. The nearest:", 0),
    ],
)
def test_what_is_not_close_is_folded_below_what_is(
    similarities: tuple[float, ...], sentence: str, folded: int
) -> None:
    things = [make_asset(number, S.SEARCHABLE) for number, _ in enumerate(similarities, 1)]
    world = Memory(things)
    results = [
        Result(thing, [make_hit(SPOKEN, similarity)])
        for thing, similarity in zip(things, similarities, strict=True)
    ]
    world.search = lambda *_: Found(results)  # type: ignore[method-assign]
    tree = page_of(world, query="lens")
    assert sentence in tree.xpath("string(//main)")
    assert len(tree.xpath("//details[@class='far']//article")) == folded
    assert len(tree.xpath("//article")) == len(similarities)
    assert tree.xpath("//article")[0].get("data-result") == things[0].id


def test_a_long_passage_is_cut_at_sentences_and_shown_whole_on_demand() -> None:
    sentences = [f"Sentence {number} tells {'something ' * 8}of it." for number in range(9)]
    world = memory()
    world.hits = [make_hit(" ".join([*sentences[:5], "A lens turns.", *sentences[5:]]), 0.7)]
    tree = page_of(world, query="lens")
    [excerpt] = tree.xpath("//p[@class='excerpt']")
    shown = " ".join(excerpt.text_content().split())
    assert "A lens turns." in shown
    assert shown.startswith("… Sentence")
    assert shown.endswith("of it. …")
    [whole] = tree.xpath("//details[@class='all']/p")
    assert whole.text_content() == world.hits[0].text


CUT = "of the tower fell. A lens turns. It gathers light."


@pytest.mark.parametrize(
    ("text", "position", "query", "shown"),
    [
        (CUT, 3, "lens", f"… {CUT}"),
        (CUT, 0, "lens", CUT),
        (CUT.capitalize(), 3, "lens", CUT.capitalize()),
        # The rest of a sentence is left out where there is not room for all.
        (f"{CUT} {'Keepers polish it. ' * 30}", 3, "lens", "… A lens turns. It gathers light."),
        (f"{CUT} {'Keepers polish it. ' * 30}", 3, "tower", "… of the tower fell. A lens turns."),
    ],
)
def test_a_passage_that_begins_within_a_sentence_says_so(
    text: str, position: int, query: str, shown: str
) -> None:
    world = memory()
    world.hits = [replace(make_hit(text.strip(), 0.7, Page(3)), position=position)]
    tree = page_of(world, query=query)
    [excerpt] = tree.xpath("//p[@class='excerpt']")
    assert " ".join(excerpt.text_content().split()).startswith(shown)
    assert bool(tree.xpath("//details[@class='all']")) == (len(text) > EXCERPT)


@pytest.mark.parametrize(
    ("away", "said"),
    [
        (Away.MODEL, "The model that reads queries is not available"),
        (Away.VECTOR_SEARCH, "Search by meaning is not available"),
        (Away.WORD_SEARCH, "Search by words is not available"),
    ],
)
def test_what_was_away_is_named(away: Away, said: str) -> None:
    world = memory()
    world.away = away
    assert said in page_of(world, query="bees").text_content()
    answer = make_app(world).test_client().get("/search?query=bees", headers=JSON).get_json()
    by_words = away is not Away.WORD_SEARCH
    assert (answer["away"], answer["words_alone"]) == (away.value, by_words)
    assert answer["meaning_alone"] != by_words


def test_nothing_is_said_to_be_away_when_all_was_there() -> None:
    assert "not available" not in page_of(memory(), query="bees").text_content()
    answer = make_app(memory()).test_client().get("/search?query=bees", headers=JSON).get_json()
    assert (answer["away"], answer["words_alone"]) == (None, False)


@pytest.mark.parametrize(
    ("languages", "hint"),
    [
        (["en", None, "und"], None),
        (["de"], "Things in German are found"),
        (["de", "en", "de", "ru"], "Things in German and Russian are found"),
        (["de", "ru", "ja"], "Things in German, Russian and Japanese are found"),
    ],
)
def test_results_in_languages_that_the_model_does_not_know_are_named(
    languages: list[str | None], hint: str | None
) -> None:
    things = [
        make_asset(number, S.SEARCHABLE, language=each) for number, each in enumerate(languages, 1)
    ]
    hits = [replace(make_hit("Bees.", 0.7), asset_id=thing.id) for thing in things]
    text = " ".join(page_of(Memory(things, hits=hits), query="bees").text_content().split())
    assert (hint in text) if hint else "knows English only" not in text


def test_the_page_offers_the_word_that_was_meant() -> None:
    world = memory()
    world.corrections = {"dnace": "dance"}
    tree = page_of(world, query='a dnace -dnaced site:x.org "of bees"', kind="audio")
    [link] = tree.xpath("//p[starts-with(., 'Did you mean')]/a")
    meant = 'a dance -dnaced site:x.org "of bees"'
    assert link.text == meant
    asked = parse_qs(urlsplit(link.get("href")).query)
    assert asked == {"query": [meant], "kind": ["audio"]}
    assert "Did you mean" not in page_of(memory(), query="dance").text_content()
