"""A sentence in a file in an archive is found in other words, and its link leads to the archive."""

from __future__ import annotations

from typing import Any

from tests.journey.examples import LISTED
from tools.harness.cloud import Cloud
from tools.harness.person import Person
from tools.harness.waiting import wait_for

EXAMPLE = next(each for each in LISTED if each["kind"] == "archive")
MEMBER = "letters/first-flight.eml"


def test_a_file_in_an_archive_is_found_in_other_words(person: Person, cloud: Cloud) -> None:
    archive = person.index(f"{cloud.address}/examples/{EXAMPLE['file']}")

    def done() -> dict[str, Any] | None:
        told = dict(person.http.get(f"/imports/{archive['id']}").json())
        return told if told["import"]["things"]["searchable"] == 3 else None

    told = wait_for(done, "the files", pause=0.2, moved=lambda: person.moved(archive["id"]))
    assert sorted(line["entry"] for line in told["lines"]) == [
        MEMBER,
        "notes/line.txt",
        "notes/sail.md",
    ]
    first = person.search(EXAMPLE["query"])[0]
    assert first["title"] == "It stayed up"
    assert first["strength"] != "none"
    assert first["url"] == f"{archive['url']}#member={MEMBER}"
    assert first["passages"][0]["link"] == first["url"]
    assert "four more bows" in first["passages"][0]["text"]
    page = person.http.get(f"/assets/{archive['id']}", headers={"Accept": "text/html"}).text
    assert "It stayed up" in page
