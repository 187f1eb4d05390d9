"""Pages of a PDF that are pictures are read by the model, whatever happens meanwhile."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pymongo.database import Database as Documents

from allthethings.assets.asset import AssetStatus
from allthethings.pipeline.page_stage import IN_FLIGHT
from allthethings.processors.image import OCR_VERSION
from tests.faults.things import Document, predictions
from tools.harness.cloud import Cloud
from tools.harness.pdfs import make_pdf, page_of, picture_of
from tools.harness.person import Person
from tools.harness.site import Page, Site
from tools.harness.waiting import wait_for

NOWHERE = "http://127.0.0.1:9/nobody"
NOW = timedelta(0)
S = AssetStatus


def document(*pages: bytes) -> Page:
    return Page(make_pdf(*pages), "application/pdf")


def written() -> bytes:
    """A page of words that fill a passage."""
    steps = (f"The weir has a step for eel {number} of the river." for number in range(50))
    return page_of(*steps)


def test_a_scanned_page_is_found_and_its_link_opens_it(
    person: Person, site: Site, database: Documents[Document]
) -> None:
    asset = person.index(site.add("/weir.pdf", document(written(), picture_of("A heron waits."))))
    assert asset["text"].endswith("\n\nA heron waits.")
    assert asset["remark"] is None
    place = person.search("the heron waits")[0]["passages"][0]
    assert place["link"] == f"{asset['url']}#page=2"
    assert database["scans"].count_documents({}) == 0


def test_a_page_that_cannot_be_read_is_named_and_ends_nothing(person: Person, site: Site) -> None:
    pages = picture_of("A heron waits."), picture_of("fail"), picture_of("The eels go by.")
    asset = person.index(site.add("/torn.pdf", document(*pages)))
    assert asset["text"] == "A heron waits.\n\nThe eels go by."
    assert asset["remark"].startswith("Page 2 could not be read. The picture could not be read")


def test_a_document_of_which_no_page_can_be_read_fails(person: Person, site: Site) -> None:
    asset_id = person.submit(site.add("/dark.pdf", document(picture_of("fail"))))
    asset = person.judged(asset_id)
    assert asset["status"] == "PROCESSING_ERROR"
    assert asset["error"].startswith("None of its pages could be read. The picture")
    site.add("/dark.pdf", document(picture_of("Light again.")))
    assert person.http.post(f"/assets/{asset_id}/retry").status_code == 202
    assert person.finished(asset_id)["text"] == "Light again."


@pytest.mark.slow("reads many pages; a few are read without it")
def test_many_pages_are_read_in_their_order_and_each_once(
    cloud: Cloud, person: Person, site: Site
) -> None:
    told = [f"Here page {number} is." for number in range(1, 31)]
    asset_id = person.submit(site.add("/many.pdf", document(*map(picture_of, told))))
    asset = person.finished(asset_id)
    assert asset["text"].split("\n\n") == told
    asked = [row for row in predictions(cloud) if row["version"] == OCR_VERSION]
    asked = [row for row in asked if str(row["webhook"]).endswith(asset_id)]
    assert len(asked) == len(told)
    for row in asked[:3]:  # Hookdeck delivers at least once
        late = {"id": row["id"], "status": "succeeded", "output": "Something else."}
        assert person.call_back(f"image/{asset_id}", late).status_code == 200
    assert person.asset(asset_id)["text"] == asset["text"]


def running(cloud: Cloud, asset_id: str) -> list[str]:
    return [
        row["status"] for row in predictions(cloud) if str(row.get("webhook")).endswith(asset_id)
    ]


def test_what_is_cancelled_is_read_no_further(
    cloud: Cloud, person: Person, site: Site, database: Documents[Document]
) -> None:
    url = site.add("/slow.pdf", document(*[picture_of("wait")] * (IN_FLIGHT + 2)))
    asset_id = person.submit(url)
    wait_for(lambda: len(running(cloud, asset_id)) == IN_FLIGHT, "the first pages asked for")
    assert person.asset(asset_id)["now"]["doing"] == "0%"
    assert person.http.post(f"/assets/{asset_id}/cancel").status_code == 202
    wait_for(lambda: {*running(cloud, asset_id)} == {"canceled"}, "the predictions' end")
    assert database["scans"].count_documents({}) == 0
    site.add("/slow.pdf", document(picture_of("Quick now.")))
    assert person.http.post(f"/assets/{asset_id}/retry").status_code == 202
    assert person.finished(asset_id)["text"] == "Quick now."
    assert len(running(cloud, asset_id)) == IN_FLIGHT + 1


def test_nothing_is_left_of_what_is_deleted(
    cloud: Cloud, person: Person, site: Site, database: Documents[Document]
) -> None:
    asset_id = person.submit(site.add("/unwanted.pdf", document(*[picture_of("wait")] * 2)))
    wait_for(lambda: len(running(cloud, asset_id)) == 2, "its pages asked for")
    assert person.http.post(f"/assets/{asset_id}/delete").status_code == 200
    wait_for(lambda: {*running(cloud, asset_id)} == {"canceled"}, "the predictions' end")
    assert database["scans"].count_documents({}) == 0
