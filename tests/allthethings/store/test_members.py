"""Members of archives in the real local database, and how their bytes come from there."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace

import pytest
from bson import ObjectId

from allthethings.assets.asset import Asset
from allthethings.assets.members import member_url
from allthethings.errors import ErrorCode, UnusableThing
from allthethings.mongo import Database
from allthethings.pipeline.members import GONE, NESTED, Sources
from allthethings.pipeline.pipeline import Pipeline
from allthethings.replicate.client import ReplicateClient
from allthethings.sources.fetch import download
from allthethings.store.members import KEPT, PART, StoredMember
from guardedfetch import Fetcher, parse_allow
from tests.allthethings.store.assets import insert
from tools.harness.site import Page, Site, running_site

ARCHIVE = "0" * 24
URL = "https://e.example/a.zip#member=notes/tea.md"
LONG = b"tea " * (3 * PART // 4)


@pytest.fixture
def site() -> Iterator[Site]:
    with running_site() as site:
        yield site


@pytest.fixture
def fetcher() -> Fetcher:
    return Fetcher(parse_allow("127.0.0.1"))


def zipped(**files: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def served(site: Site, body: bytes, path: str = "/a.zip") -> str:
    return site.add(path, Page(body, "application/zip"))


def stored(database: Database, name: str = "member_parts") -> int:
    return database.database[name].count_documents({})


def sources_of(database: Database, fetcher: Fetcher) -> Sources:
    """Replicate is asked for nothing."""
    return Sources(database, fetcher, ReplicateClient("token", "http://127.0.0.1:9"))


# -- the store


@pytest.mark.parametrize("body", [b"tea", LONG])
def test_a_member_keeps_its_bytes_until_they_are_dropped(database: Database, body: bytes) -> None:
    database.members.put(ARCHIVE, [(StoredMember(URL, ARCHIVE, "text/plain", len(body)), body)])
    found = database.members.find(URL)
    assert found is not None
    assert (found.content_type, found.size, found.refusal) == ("text/plain", len(body), "")
    assert database.members.body(found) == body
    database.members.drop_body(URL)
    assert database.members.body(found) is None
    assert stored(database) == 0
    assert database.members.find(URL) == replace(found, body=None)


def test_a_refused_member_has_no_bytes(database: Database) -> None:
    refused = StoredMember(URL, ARCHIVE, "", 9, "It is damaged.", ErrorCode.DOCUMENT_UNREADABLE)
    database.members.put(ARCHIVE, [(refused, b"")])
    assert database.members.find(URL) == refused
    database.members.drop_body(URL)


def test_members_that_are_put_again_are_kept_once(database: Database) -> None:
    for body in (b"first", b"second"):
        database.members.put(ARCHIVE, [(StoredMember(URL, ARCHIVE, "text/plain", len(body)), body)])
    found = database.members.find(URL)
    assert found is not None
    assert database.members.body(found) == b"second"
    assert stored(database, "members") == 1


def test_bytes_of_which_a_part_is_missing_count_as_gone(database: Database) -> None:
    database.members.put(ARCHIVE, [(StoredMember(URL, ARCHIVE, "text/plain", len(LONG)), LONG)])
    database.database["member_parts"].delete_one({"_id": {"$regex": ":0001$"}})
    found = database.members.find(URL)
    assert found is not None
    assert database.members.body(found) is None


@pytest.mark.parametrize("start", [0, PART - 2, PART, len(LONG) - 1, len(LONG) + 5])
def test_a_part_of_a_member_is_read_alone(
    database: Database, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch, start: int
) -> None:
    database.members.put(ARCHIVE, [(StoredMember(URL, ARCHIVE, "text/plain", len(LONG)), LONG)])
    whole: list[StoredMember] = []
    monkeypatch.setattr(database.members, "body", whole.append)
    part = sources_of(database, fetcher).part(URL, start, 5)
    assert (part.body, part.size) == (LONG[start : start + 5], len(LONG))
    assert whole == []


def test_a_member_of_an_archive_that_is_indexed_again_is_that_of_the_new_one(
    database: Database,
) -> None:
    again = "1" * 24
    for archive in (ARCHIVE, again):
        database.members.put(archive, [(StoredMember(URL, archive, "text/plain", 3), b"tea")])
    found = database.members.find(URL)
    assert found is not None
    assert found.archive_id == again


def test_a_file_that_a_person_submits_goes_with_its_archive(
    database: Database, steps: Pipeline
) -> None:
    archive_id = insert(database, content_type="application/zip")
    database.members.put(archive_id, [(StoredMember(URL, archive_id, "text/plain", 3), b"tea")])
    asset = steps.submission.submit(URL)
    assert database.lists.to_delete(archive_id, 10) == []
    database.lists.open(archive_id, None)
    database.lists.begin_removal(archive_id, with_things=True)
    assert database.lists.to_delete(archive_id, 10) == [asset.id]


def test_bytes_that_nobody_reads_end_and_those_of_a_deleted_archive_too(database: Database) -> None:
    other = "1" * 24
    for archive in (ARCHIVE, other):
        member = StoredMember(f"{URL}-{archive}", archive, "text/plain", 3)
        database.members.put(archive, [(member, b"tea")])
    database.members.expire()
    assert stored(database) == 2
    parts = database.database["member_parts"]
    old = parts.find_one({"archive_id": ObjectId(other)})
    assert old is not None
    parts.update_one({"_id": old["_id"]}, {"$set": {"at": old["at"] - KEPT}})
    database.members.expire()
    assert stored(database) == 1
    database.members.delete(ARCHIVE)
    assert stored(database) == 0
    assert database.members.find(f"{URL}-{ARCHIVE}") is None
    assert database.members.find(f"{URL}-{other}") is not None


# -- how the bytes come


def taken(database: Database, sources: Sources, fetcher: Fetcher, url: str) -> Asset:
    """An archive that was unpacked."""
    made = insert(database, url=url, url_key=url, content_type="application/zip")
    archive = database.assets.existing(made)
    sources.unpack(archive, download(fetcher, url, 1 << 20))
    return archive


def test_members_come_out_of_the_archive_that_was_downloaded_once(
    database: Database, site: Site, fetcher: Fetcher
) -> None:
    sources = sources_of(database, fetcher)
    url = served(site, zipped(tea=b"Tea leaves unroll.", water=b"Hot water."))
    taken(database, sources, fetcher, url)
    site.requests.clear()
    assert sources.download(member_url(url, "tea"), 100).body == b"Tea leaves unroll."
    part = sources.part(member_url(url, "water"), 4, 3)
    assert (part.body, part.size, part.partial) == (b"wat", 10, True)
    assert site.requests == []
    with pytest.raises(UnusableThing, match="larger than") as caught:
        sources.download(member_url(url, "tea"), 4)
    assert caught.value.code is ErrorCode.TOO_LARGE


def test_what_is_no_member_comes_from_its_server(
    database: Database, site: Site, fetcher: Fetcher
) -> None:
    sources = sources_of(database, fetcher)
    url = served(site, b"the whole")
    assert sources.download(url, 100).body == b"the whole"
    assert sources.download(f"{url}#member=of-nothing", 100).body == b"the whole"
    assert sources.part(url, 4, 3).body == b"who"


def test_bytes_that_are_gone_come_from_the_archive_again(
    database: Database, site: Site, fetcher: Fetcher
) -> None:
    sources = sources_of(database, fetcher)
    url = served(site, zipped(tea=b"Tea leaves unroll.", water=b"Hot water."))
    taken(database, sources, fetcher, url)
    database.members.drop_body(member_url(url, "water"))
    database.database["member_parts"].delete_many({})
    assert sources.download(member_url(url, "tea"), 100).body == b"Tea leaves unroll."
    assert ("GET", "/a.zip") in site.requests
    assert stored(database) == 1  # what was read is not kept again
    database.members.drop_body(member_url(url, "tea"))
    served(site, zipped(water=b"Hot water."))
    with pytest.raises(UnusableThing) as caught:
        sources.download(member_url(url, "tea"), 100)
    assert (str(caught.value), caught.value.code) == (GONE, ErrorCode.NOT_FOUND)


def test_an_archive_that_was_deleted_while_it_was_unpacked_leaves_nothing(
    database: Database, site: Site, fetcher: Fetcher
) -> None:
    url = served(site, zipped(tea=b"Tea leaves unroll."))
    archive = replace(taken(database, sources_of(database, fetcher), fetcher, url), id="2" * 24)
    sources_of(database, fetcher).unpack(archive, download(fetcher, url, 1 << 20))
    found = database.members.find(member_url(url, "tea"))
    assert found is not None
    assert found.archive_id != archive.id
    assert stored(database, "members") == 1


def test_members_are_judged_by_their_bytes_and_names(
    database: Database, site: Site, fetcher: Fetcher
) -> None:
    files = {
        "more.zip": zipped(x=b"y"),
        "notes.md": b"# Notes\n\nwater",
        "talk.mp3": b"ID3\x04" + bytes(99),
        "letters": b"SQLite format 3\x00" + bytes(99),
        "noise": bytes(range(256)),
        "nothing": b"",
    }
    sources = sources_of(database, fetcher)
    url = served(site, zipped(**files))
    taken(database, sources, fetcher, url)
    found = [database.members.find(member_url(url, name)) for name in files]
    assert [(member.content_type, member.refusal) for member in found if member] == [
        ("application/zip", NESTED),
        ("text/markdown", ""),
        ("audio/mpeg", ""),
        (
            "application/x-sqlite3",
            "Files of this type (application/x-sqlite3) cannot be read.",
        ),
        ("", "Its type is unknown."),
        ("", "It is empty."),
    ]
