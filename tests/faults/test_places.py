"""A sentence deep in a thing of any kind is found, and its link opens the thing there."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pptx
import pytest
from playwright.sync_api import Browser, expect
from playwright.sync_api import Page as Tab

from tests.faults.things import recording
from tests.support.browser import needs_browser
from tools.harness.archives import changed, zipped
from tools.harness.chromium import running_browser
from tools.harness.cloud import ROOT, Cloud
from tools.harness.pdfs import make_pdf, page_of, picture_of
from tools.harness.person import Person
from tools.harness.site import Page, Site
from tools.harness.waiting import PATIENCE, wait_for

OFFICE = ROOT / "tests" / "allthethings" / "processors" / "files"
# The second at which the sentence of the video begins: 42:10.
MOMENT = 2_530.0
MINUTES = 45
SIZE = (64, 36)
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def sentence(number: int) -> str:
    """What only the part of that number says."""
    return f"The ferry number {number} leaves the quay when its bell has rung {number} times."


def long_pdf() -> bytes:
    """300 pages, each with a sentence of its own."""
    return make_pdf(*[page_of(sentence(number), "It is seldom late.") for number in range(1, 301)])


def slides() -> bytes:
    presentation = pptx.Presentation()
    for number in range(1, 10):
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text = f"Quay {number}"
        slide.placeholders[1].text = f"{sentence(number)} " + "The sea is calm today. " * 10
    file = io.BytesIO()
    presentation.save(file)
    return file.getvalue()


def workbook() -> bytes:
    """Two sheets; the sentence stands in cell B12 of the second one."""
    rows = "".join(
        f"<row r='{row}'><c r='A{row}'><v>{row}</v></c>"
        f"<c r='B{row}' t='inlineStr'><is><t>{sentence(row)}</t></is></c></row>"
        for row in range(1, 21)
    )
    sheet = f"<worksheet xmlns='{SHEET}'><sheetData>{rows}</sheetData></worksheet>"
    return changed(OFFICE / "libreoffice.xlsx", {"xl/worksheets/sheet2.xml": sheet.encode()})


def video(path: Path) -> bytes:
    """A still picture for 45 minutes. The quick Whisper hears the sentence at 42:10; see
    tests/faults/models/speech."""
    picture = av.VideoFrame.from_ndarray(np.full((SIZE[1], SIZE[0], 3), 90, np.uint8))
    with av.open(str(path), "w") as container:
        container.metadata["comment"] = json.dumps({"text": sentence(42), "at": MOMENT})
        stream: Any = container.add_stream("libvpx", rate=1, options={"deadline": "realtime"})
        stream.width, stream.height = SIZE
        stream.codec_context.gop_size = 10
        for second in range(60 * MINUTES):
            picture.pts = second
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path.read_bytes()


def found(person: Person, phrase: str, asset_id: str) -> dict[str, Any]:
    """The passage of that thing that says so, with the sentence that does."""
    results = person.search(f'"{phrase}"')
    assert [each["asset_id"] for each in results] == [asset_id]
    passage = dict(results[0]["passages"][0])
    assert phrase in passage["sentence"]["text"]
    return passage


PLACES = [
    pytest.param("ferries.pdf", long_pdf, 173, {"page": 173}, "#page=173", id="a page of 300"),
    pytest.param("ferries.pptx", slides, 7, {"slide": 7}, "", id="a slide"),
    pytest.param("ferries.xlsx", workbook, 12, {"sheet": "Loaves"}, "", id="a cell"),
]


@pytest.mark.parametrize(("name", "make", "number", "locator", "fragment"), PLACES)
def test_a_sentence_deep_in_a_document_is_found_where_it_stands(
    person: Person, site: Site, name: str, make: Any, number: int, locator: object, fragment: str
) -> None:
    asset = person.index(site.add(f"/deep/{name}", Page(make(), "application/octet-stream")))
    passage = found(person, sentence(number), asset["id"])
    assert passage["sentence"]["locator"] == locator
    assert passage["link"] == f"{asset['url']}{fragment}"
    person.http.post(f"/assets/{asset['id']}/delete").raise_for_status()


def test_a_sentence_of_a_short_section_is_found_under_its_heading(
    person: Person, site: Site
) -> None:
    """The sections share a passage; none of the first one's words ends a sentence."""
    markup = (
        "<html><head><title>The ferry house</title></head><body><article>"
        "<h2>Hours</h2><p>Open from nine to five</p>"
        "<h2>Prices</h2><p>Grown-ups pay eleven florins for the crossing.</p>"
        "<h2>Dogs</h2><p>They stay ashore.</p></article></body></html>"
    )
    asset = person.index(site.add("/deep/house.html", Page(markup.encode())))
    passage = found(person, "pay eleven florins", asset["id"])
    assert passage["locator"] == {"heading": "Hours"}
    assert passage["sentence"]["locator"] == {"heading": "Prices"}
    assert passage["sentence"]["text"].startswith("Grown-ups pay")
    assert "#:~:text=Grown%2Dups%20pay%20eleven" in passage["link"]
    person.http.post(f"/assets/{asset['id']}/delete").raise_for_status()


def test_a_sentence_in_a_picture_of_a_page_is_found(person: Person, site: Site) -> None:
    pages = [page_of(sentence(1)), page_of(sentence(2)), picture_of("The heron stays ashore.")]
    asset = person.index(site.add("/deep/scan.pdf", Page(make_pdf(*pages), "application/pdf")))
    assert found(person, "heron stays ashore", asset["id"])["link"] == f"{asset['url']}#page=3"
    person.http.post(f"/assets/{asset['id']}/delete").raise_for_status()


def test_a_sentence_in_the_third_member_of_an_archive_is_found(person: Person, site: Site) -> None:
    members = {f"log/{number}.txt": sentence(number).encode() for number in (61, 62, 63, 64)}
    archive = person.index(site.add("/deep/log.zip", Page(zipped(members), "application/zip")))

    def third() -> list[dict[str, Any]]:
        return person.search(f'"{sentence(63)}"')

    [result] = wait_for(third, "the third member", pause=0.2)
    assert result["url"] == result["passages"][0]["link"] == f"{archive['url']}#member=log/63.txt"


def test_the_last_words_of_three_hours_are_found(person: Person, site: Site) -> None:
    """A line for every five seconds."""
    said = "\n".join(sentence(number) for number in range(1_000, 1_000 + 3 * 720))
    asset = person.index(site.add("/deep/three-hours.mp3", recording(said)))
    last = sentence(1_000 + 3 * 720 - 1)
    passage = found(person, last, asset["id"])
    assert passage["sentence"]["locator"] == {"start": 3 * 3_600 - 5, "end": 3 * 3_600}


# -- in a browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture
def tab(browser: Browser) -> Iterator[Tab]:
    context = browser.new_context()
    context.set_default_timeout(1000 * PATIENCE)
    yield context.new_page()
    context.close()


def open_result(tab: Tab, cloud: Cloud, phrase: str) -> None:
    """Search for it, and follow the link to where it stands."""
    tab.goto(cloud.address)
    tab.get_by_role("link", name="Search", exact=True).click()
    tab.get_by_label("What are you looking for?").fill(f'"{phrase}"')
    tab.get_by_label("What are you looking for?").press("Enter")
    tab.locator("[data-result] a.open").first.click()


@needs_browser
def test_a_video_begins_at_minute_42(
    tab: Tab, person: Person, site: Site, cloud: Cloud, tmp_path: Path
) -> None:
    served = Page(video(tmp_path / "still.webm"), "video/webm", headers={"Accept-Ranges": "bytes"})
    person.index(site.add("/deep/still.webm", served))
    open_result(tab, cloud, sentence(42))
    player = tab.locator("video")
    wait_for(lambda: player.evaluate("it => it.readyState >= 2"), "the video")
    assert player.evaluate("it => it.currentTime") == pytest.approx(MOMENT, abs=1)
    assert player.evaluate("it => it.videoWidth") == SIZE[0]


@needs_browser
def test_a_pdf_opens_at_page_173(tab: Tab, person: Person, site: Site, cloud: Cloud) -> None:
    asset = person.index(site.add("/deep/opened.pdf", Page(long_pdf(), "application/pdf")))
    open_result(tab, cloud, sentence(173))
    tab.wait_for_url(f"{asset['url']}#page=173")


@needs_browser
def test_a_web_page_opens_at_its_sentence(
    tab: Tab, person: Person, site: Site, cloud: Cloud
) -> None:
    said = "".join(f"<p id='p{number}'>{sentence(number)}</p>" for number in range(400, 600))
    markup = f"<html><head><title>Ferries</title></head><body><article>{said}</article></body>"
    asset = person.index(site.add("/deep/ferries.html", Page(markup.encode())))
    open_result(tab, cloud, sentence(573))
    tab.wait_for_url(f"{asset['url']}**")
    expect(tab.locator("#p573")).to_be_in_viewport()
    expect(tab.locator("#p400")).not_to_be_in_viewport()
