"""Archives: their files become things, what is wrong with one is told, and all go together."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from pymongo.database import Database

from allthethings.pipeline.members import NESTED
from tests.faults.things import Document
from tools.harness.archives import zipped
from tools.harness.person import Person
from tools.harness.site import Page, Site
from tools.harness.waiting import wait_for

SAID = "The lamplighter walks the harbour at dusk and counts the gulls."
WRITTEN = "A saddler stitches with two needles and one thread, and pulls both ends tight."
CAPTION = "Leeks stand in trenches until the frost."


def told_of(person: Person, archive_id: str, query: str = "") -> dict[str, Any]:
    answer = person.http.get(f"/imports/{archive_id}{query}")
    answer.raise_for_status()
    return dict(answer.json())


def when(
    person: Person, archive_id: str, there: Callable[[dict[str, Any]], object]
) -> dict[str, Any]:
    """What is told of the files in an archive, when it is so."""

    def look() -> dict[str, Any] | None:
        told = told_of(person, archive_id)
        return told if there(told) else None

    return wait_for(look, "the files", pause=0.2, moved=lambda: person.moved(archive_id))


def done(told: dict[str, Any]) -> bool:
    state, things = told["import"]["state"], told["import"]["things"]
    return bool(state == "done" and not things["under way"])


def is_gone(person: Person, asset_id: str) -> bool:
    return person.http.get(f"/assets/{asset_id}/state").status_code == 404


def test_each_file_of_an_archive_is_found_and_what_is_wrong_with_one_is_told(
    person: Person, site: Site
) -> None:
    files = {
        "talks/dusk.mp3": json.dumps({"text": SAID}).encode(),
        "notes/saddle and thread.txt": WRITTEN.encode(),
        "notes/Übung.md": f"# Winter vegetables\n\n{CAPTION}\n".encode(),
        "notes/empty.txt": b"",
        "broken.pdf": b"%PDF-1.7 and nothing else",
        "more.zip": zipped({"a.txt": b"a"}),
        "../outside.txt": b"outside",
        "__MACOSX/._dusk.mp3": b"junk",
        "letters.db": b"SQLite format 3\x00" + bytes(99),
    }
    archive = person.index(site.add("/box.zip", Page(zipped(files), "application/zip")))
    told = when(person, archive["id"], done)
    assert told["import"]["things"] == {"searchable": 3, "under way": 0, "failed": 1}
    by_name = {line["entry"]: line for line in told["lines"]}
    assert set(by_name) == set(files) - {"__MACOSX/._dusk.mp3"}
    refused = {line["entry"]: line["message"] for line in by_name.values() if not line["asset_id"]}
    assert refused == {
        "notes/empty.txt": "It is empty.",
        "more.zip": NESTED,
        "../outside.txt": "Its path points outside the archive.",
        "letters.db": "Files of this type (application/x-sqlite3) cannot be read.",
    }
    [found] = person.search('"stitches with two needles"')
    assert found["asset_id"] == by_name["notes/saddle and thread.txt"]["asset_id"]
    address = f"{archive['url']}#member=notes/saddle%20and%20thread.txt"
    assert (found["url"], found["passages"][0]["link"]) == (address, address)
    assert found["title"] == "saddle and thread"
    # A name made from that of the file is found by its words, as a title is.
    assert [each["title"] for each in person.search('"saddle and thread"')] == [found["title"]]
    assert [each["title"] for each in person.search('"box" kind:archive')] == ["box"]
    [spoken] = person.search('"counts the gulls"')
    assert (
        spoken["url"] == spoken["passages"][0]["link"] == f"{archive['url']}#member=talks/dusk.mp3"
    )
    [titled] = person.search('"until the frost"')
    assert titled["title"] == "Winter vegetables"
    html = {"Accept": "text/html"}
    page = person.http.get(f"/assets/{archive['id']}", headers=html).text
    assert all(why in page for why in refused.values())
    assert "This PDF could not be read" in page
    assert "The things made from its files are deleted too" in page
    heard = person.http.get(f"/assets/{spoken['asset_id']}", headers=html).text
    assert f'In the archive <a href="/assets/{archive["id"]}"' in heard
    assert "<audio" not in heard


def test_an_archive_is_deleted_with_its_files(
    person: Person, site: Site, database: Database[Document]
) -> None:
    files = {f"{number}.txt": f"Page {number} is about the tides.".encode() for number in range(5)}
    address = site.add("/tides.zip", Page(zipped(files), "application/zip"))
    archive = person.index(address)
    told = when(person, archive["id"], done)
    members = [line["asset_id"] for line in told["lines"]]
    assert len(members) == 5
    answer = person.http.post(f"/assets/{archive['id']}/delete", data={"things": "keep"})
    assert answer.status_code == 200
    for each in [archive["id"], *members]:
        wait_for(partial(is_gone, person, each), "the deletion")
    left = database["members"].count_documents({"url": {"$regex": f"^{address}#"}})
    assert left == 0
    again = person.index(address)
    assert again["id"] != archive["id"]
    assert when(person, again["id"], done)["import"]["things"]["searchable"] == 5


def test_the_address_of_a_file_is_known_and_a_deleted_file_is_read_again(
    person: Person, site: Site
) -> None:
    files = {"one.txt": b"One about looms.", "two.txt": b"Two about looms."}
    archive = person.index(site.add("/looms.zip", Page(zipped(files), "application/zip")))
    told = when(person, archive["id"], done)
    first = told["lines"][0]
    assert person.submit(first["url"]) == first["asset_id"]
    assert person.http.post(f"/assets/{first['asset_id']}/delete").status_code == 200
    again = person.index(first["url"])
    assert again["id"] != first["asset_id"]
    assert (again["url"], again["text"]) == (first["url"], "One about looms.")
