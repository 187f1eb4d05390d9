"""What a recording tells of itself is there before its text, and stays."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pymongo.database import Database

from tests.faults.things import Document, passages, recording
from tools.harness.person import Person
from tools.harness.site import Page, Site
from tools.harness.waiting import wait_for

TITLE = "Why bees dance"


def tagged(page: Page) -> Page:
    """The recording with an ID3 tag that holds a title (ID3v2.3, frame TIT2 in Latin-1)."""
    title = b"\0" + TITLE.encode()
    frame = b"TIT2" + len(title).to_bytes(4) + b"\0\0" + title
    return replace(page, body=b"ID3\3\0\0" + len(frame).to_bytes(4) + frame + page.body)


def test_a_recording_has_its_name_while_it_is_transcribed(person: Person, site: Site) -> None:
    page = tagged(recording("They show the way.", "wait"))
    asset_id = person.submit(site.add("/told-early.mp3", page))
    wait_for(lambda: person.asset(asset_id)["status"] == "PROCESSING", "the model at work")
    assert person.asset(asset_id)["title"] == TITLE
    person.http.post(f"/assets/{asset_id}/cancel")


def test_a_recording_is_found_by_its_name(
    person: Person, site: Site, database: Database[Document]
) -> None:
    asset = person.index(site.add("/told.mp3", tagged(recording("They show the way."))))
    assert asset["title"] == TITLE
    assert [row["title"] for row in passages(database, asset["id"])] == [TITLE]
    assert person.search("bees dance")[0]["asset_id"] == asset["id"]


@pytest.mark.parametrize(
    "faulty",
    [Page(b"", "audio/mpeg"), Page(b"", "audio/mpeg", status=500, head_status=200)],
    ids=["empty", "not to be had"],
)
def test_a_recording_without_readable_tags_is_transcribed_all_the_same(
    person: Person, site: Site, faulty: Page
) -> None:
    asset_id = person.submit(site.add("/untold.mp3", faulty))
    asset = person.judged(asset_id)
    assert "PROCESSING" in [entry["status"] for entry in asset["history"]]
    person.http.post(f"/assets/{asset_id}/delete")


GERMAN = (
    "Der Leuchtturm wirft sein Licht weit auf das Meer hinaus. "
    "Damit finden die Schiffe auch in der Nacht den Weg in den Hafen."
)


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("/turm.mp3", recording(GERMAN.replace(". ", ".\n"))),
        ("/turm.txt", Page(GERMAN.encode(), "text/plain")),
    ],
    ids=["recording", "text"],
)
def test_a_thing_in_another_language_is_found_by_it_and_says_so(
    person: Person, site: Site, path: str, page: Page
) -> None:
    asset = person.index(site.add(path, page))
    assert asset["language"] == "de"
    html = {"Accept": "text/html"}
    shown = person.http.get(f"/assets/{asset['id']}", headers=html).text
    assert "<span>German</span>" in shown
    assert "This text is in German" in shown

    query = {"query": "Leuchtturm", "lang": "German"}
    found = person.http.get("/search", params=query).json()["results"]
    assert asset["id"] in [result["asset_id"] for result in found]
    assert all((result["language"], result["served_badly"]) == ("de", True) for result in found)
    page_of_results = person.http.get("/search", params=query, headers=html).text
    assert "Things in German are found mainly by the words" in " ".join(page_of_results.split())
    english = person.http.get("/search", params={**query, "lang": "en"}).json()["results"]
    assert asset["id"] not in [result["asset_id"] for result in english]
    person.http.post(f"/assets/{asset['id']}/delete")
