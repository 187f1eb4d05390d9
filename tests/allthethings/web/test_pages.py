"""The pages: what they show, and that nothing in them is run that a stranger wrote."""

from __future__ import annotations

from html import escape
from pathlib import Path

import pytest
from lxml import html

from allthethings.assets.asset import Asset
from allthethings.assets.asset import AssetStatus as S
from allthethings.assets.locators import TimeSpan
from tests.allthethings.web.in_memory import (
    EXAMPLE,
    HOSTILE,
    Memory,
    hostile_world,
    make_app,
    make_asset,
    make_hit,
    rendered,
    text_of,
)

ROOT = Path(__file__).parents[3]
URL_ATTRIBUTES = ("href", "src", "action", "formaction")


PAGES = ["/", "/search", "/search?query=" + HOSTILE, f"/assets/{1:024x}", f"/assets/{2:024x}"]


def test_the_script_is_small() -> None:
    for script in (ROOT / "static").glob("*.js"):
        assert script.stat().st_size < 8_000


@pytest.mark.parametrize("path", PAGES)
def test_what_strangers_wrote_is_text(path: str) -> None:
    tree = rendered(hostile_world(), path)
    scripts = {script.get("src") for script in tree.iter("script")}
    assert scripts <= {f"/static/{path.name}" for path in (ROOT / "static").glob("*.js")}
    assert [image.get("src") for image in tree.iter("img")] == ["/static/mark.svg"]
    for element in tree.iter(html.etree.Element):
        assert not [name for name in element.attrib if name.startswith("on") or name == "style"]
        for name in URL_ATTRIBUTES:
            assert element.get(name, "/").startswith(("/", "#", "https://radio.test/"))


def test_a_title_is_shown_as_it_was_written() -> None:
    tree = rendered(hostile_world(), f"/assets/{1:024x}")
    assert text_of(tree, "//h1") == [HOSTILE]
    assert HOSTILE in text_of(tree, "//*[@data-problem]")[0]


def test_a_row_shows_the_status_and_why_it_failed() -> None:
    tree = rendered(
        Memory(
            [make_asset(1, S.PROCESSING_ERROR, error="No speech."), make_asset(2, S.SEARCHABLE)]
        ),
        "/",
    )
    failed, found = tree.xpath("//*[@data-asset]")
    assert failed.xpath(".//*[@data-status]/@data-status") == ["PROCESSING_ERROR"]
    assert text_of(failed, ".//*[@data-status]") == ["Processing error"]
    assert text_of(failed, ".//*[@data-error]") == ["No speech."]
    assert failed.xpath(".//form[not(@hidden)]/@action") == [f"/assets/{1:024x}/retry"]
    assert found.xpath(".//*[@data-problem]")[0].get("hidden") is not None


def test_the_rejected_address_is_there_to_be_mended() -> None:
    answer = make_app(Memory()).test_client().post("/process", data={"url": HOSTILE})
    assert answer.status_code == 422
    tree = html.document_fromstring(answer.text)
    assert tree.get_element_by_id("url").value == HOSTILE
    assert text_of(tree, "//*[@role='alert']") == [
        "A URL has no spaces or control characters in it."
    ]
    assert escape(HOSTILE) in answer.text.replace("&#34;", "&quot;").replace("&#39;", "&#x27;")


def test_an_example_is_one_button() -> None:
    tree = rendered(Memory(examples=[EXAMPLE]), "/")
    (form,) = tree.xpath("//form[input[@type='hidden']]")
    assert text_of(form, ".//button") == [EXAMPLE.title]
    assert form.xpath("input/@value") == [EXAMPLE.url]
    assert tree.xpath("//a[starts-with(@href, '/search?')]/@href") == ["/search?query=insects"]


def test_the_examples_are_folded_away_once_there_are_things_of_ones_own() -> None:
    example = make_asset(1, S.SEARCHABLE, url=EXAMPLE.url)
    tree = rendered(Memory([example], examples=[EXAMPLE]), "/")
    assert tree.xpath("//main/section/ul[@class='cards']")
    own = make_asset(2, S.SUBMITTED)
    tree = rendered(Memory([example, own], examples=[EXAMPLE]), "/")
    assert tree.xpath("//main/details[not(@open)]/ul[@class='cards']")
    assert not tree.xpath("//section/ul[@class='cards']")


def place(asset: Asset) -> str:
    """How an address names it: by its milliseconds since 1970, and its id."""
    return f"{round(asset.created_at.timestamp() * 1000)}-{asset.id}"


def test_pages_of_things_keep_their_size() -> None:
    things = [make_asset(number, S.SEARCHABLE) for number in range(7)]
    tree = rendered(Memory(things), "/?page=2&per_page=3")
    assert tree.xpath("//a[@rel='prev']/@href") == [f"/?per_page=3&before={place(things[3])}"]
    assert tree.xpath("//a[@rel='next']/@href") == [f"/?per_page=3&after={place(things[5])}"]
    assert tree.xpath("//nav[@class='pages']//a[text()='Last']/@href") == ["/?per_page=3&page=last"]
    assert "4 to 6 of 7" in text_of(tree, "//nav[@class='pages']")[0]
    assert "nothing on page 9" in text_of(rendered(Memory(things), "/?page=9"), "//main")[0]


@pytest.mark.parametrize(
    ("memory", "path", "words"),
    [
        (Memory(), "/", "Nothing is indexed yet"),
        (Memory(), "/search", "Nothing is searchable yet"),
        (Memory([make_asset(1, S.SEARCHABLE)]), "/search", "in your own words"),
        (Memory([make_asset(1, S.SEARCHABLE)]), "/search?query=x", "Nothing was found for x"),
        (Memory([make_asset(1, S.SUBMITTED)]), "/search", "1 thing is still being processed"),
    ],
)
def test_an_empty_page_says_what_to_do(memory: Memory, path: str, words: str) -> None:
    assert words in text_of(rendered(memory, path), "//main")[0]


def test_a_result_leads_to_its_thing_and_to_the_second() -> None:
    hits = [make_hit("A dance.", 0.7, TimeSpan(61.5, 70)), make_hit("A meadow.", 0.6)]
    tree = rendered(Memory([make_asset(1, S.SEARCHABLE)], hits=hits), "/search?query=bees")
    (result,) = tree.xpath("//*[@data-result]")
    assert result.xpath(".//a/@href")[0] == f"/assets/{1:024x}?query=bees&at=0#p0"
    assert "https://radio.test/1.mp3#t=61.5" in result.xpath(".//a/@href")
    assert text_of(result, ".//a[@class='open']")[0].startswith("Listen from 1:01")


def test_a_moment_of_a_thing_without_a_player_is_not_said_to_be_heard() -> None:
    thing = make_asset(1, S.SEARCHABLE, content_type="text/plain")
    hits = [make_hit("A dance.", 0.7, TimeSpan(61.5, 70))]
    tree = rendered(Memory([thing], hits=hits), "/search?query=bees")
    assert text_of(tree, "//a[@class='open']")[0].startswith("Open the file")


@pytest.mark.parametrize(
    ("status", "at"),
    [
        (S.SUBMITTED, "Submitted"),
        (S.PROCESSING_ERROR, "Processing: failed"),
        (S.EMBEDDINGS_ERROR, "Generating embeddings: failed"),
    ],
)
def test_a_thing_shows_how_far_it_came(status: S, at: str) -> None:
    tree = rendered(Memory([make_asset(1, status)]), f"/assets/{1:024x}")
    assert text_of(tree, "//*[@aria-current='step']") == [at]
    assert len(tree.xpath("//article[@data-poll]")) == (status is S.SUBMITTED)
    assert [text.split(" UTC")[0] for text in text_of(tree, "//*[@class='at']")] == [
        "2025-03-01 12:31",
        "+2.5 s 12:31:02.500",
    ]


def test_what_is_not_there_is_a_page_too() -> None:
    tree = rendered(Memory(), "/assets/none", 404)
    assert text_of(tree, "//h1") == ["Not found"]
    assert tree.xpath("//main//a/@href") == ["/", "/search"]
