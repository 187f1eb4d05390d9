"""A picture is asked for its text and then for a caption, where a model for that is set."""

from __future__ import annotations

import io

from PIL import Image
from pymongo.database import Database

from tests.faults.things import Document, passages
from tools.harness.person import Person
from tools.harness.site import Page, Site


def picture(told: str) -> Page:
    """A picture that tells the models what to answer."""
    file = io.BytesIO()
    Image.new("RGB", (60, 40), "teal").save(file, "PNG")
    return Page(file.getvalue() + told.encode(), "image/png")


def test_a_picture_is_found_by_its_text_and_by_its_caption(
    person: Person, site: Site, database: Database[Document]
) -> None:
    page = picture("shows: a heron on a jetty text:No mooring\n\nafter dusk")
    asset = person.index(site.add("/heron.png", page))
    assert asset["text"] == "No mooring\n\nafter dusk\n\na heron on a jetty"
    assert [each["status"] for each in asset["history"]].count("PROCESSING") == 2
    assert asset["remark"] is None
    assert person.http.get(asset["picture"]).headers["Content-Type"] == "image/webp"
    (kept,) = database["assets"].find({"url": asset["url"]})
    assert kept["draft"] is None
    assert any("heron" in row["text"] for row in passages(database, asset["id"]))
    assert person.search("heron on a jetty")[0]["asset_id"] == asset["id"]
    assert person.search("mooring after dusk")[0]["asset_id"] == asset["id"]


def test_a_picture_without_text_is_found_by_its_caption(person: Person, site: Site) -> None:
    asset = person.index(site.add("/mute.png", picture("shows: an empty beach text:")))
    assert asset["text"] == "an empty beach"


def test_a_picture_without_a_caption_has_its_text(person: Person, site: Site) -> None:
    asset = person.index(site.add("/plate.png", picture("text:A brass plate")))
    assert asset["text"] == "A brass plate"
    assert asset["remark"].startswith("It has no caption. ")
    assert "told to fail" in asset["remark"]


def test_a_picture_with_neither_fails_with_the_reason_of_the_last(
    person: Person, site: Site
) -> None:
    asset = person.judged(person.submit(site.add("/nothing.png", picture("text:"))))
    assert asset["status"] == "PROCESSING_ERROR"
    assert "told to fail" in asset["error"]
