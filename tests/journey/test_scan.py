"""A printed document that somebody has scanned is read by the model, page by page."""

from __future__ import annotations

import io

import pypdfium2
import pytest
from PIL import Image

from tests.journey.examples import EXAMPLES
from tools.harness.person import Person
from tools.harness.site import Page, Site

DPI = 200
# On the second page, the third of a scan that begins with a cover.
SENTENCE = "water lifts the whole mass from its bed by a few centimetres"


def scanned() -> bytes:
    """The first pages of the example behind an empty one, in black and white as a fax has it."""
    with pypdfium2.PdfDocument(EXAMPLES / "glacier.pdf") as pdf:
        drawn = [pdf[number].render(scale=DPI / 72, grayscale=True).to_pil() for number in (0, 1)]
    cover, *pages = [each.convert("1", dither=Image.Dither.NONE) for each in (drawn[0], *drawn)]
    cover.paste(1, (0, 0, *cover.size))
    file = io.BytesIO()
    cover.save(file, "PDF", save_all=True, append_images=pages, resolution=DPI)
    return file.getvalue()


@pytest.mark.slow("half a minute of reading; tests/faults/test_scans.py has a model that is quick")
def test_a_sentence_in_a_scan_is_found_and_its_link_opens_the_page(
    person: Person, site: Site
) -> None:
    asset = person.index(site.add("/scan-0042.pdf", Page(scanned(), "application/pdf")))
    assert asset["remark"] is None
    assert SENTENCE in asset["text"]
    found = person.search("what raises a glacier off the rock in spring")[0]
    assert found["asset_id"] == asset["id"]
    assert any(each["link"] == f"{asset['url']}#page=3" for each in found["passages"])
