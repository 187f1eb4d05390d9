"""Members of archives that a model reads: it gets a copy, since no URL leads to them."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from datetime import timedelta

import pytest

from allthethings.assets.asset import Asset, AssetStatus
from allthethings.assets.members import member_key, member_url
from allthethings.errors import ErrorCode, UnusableThing
from allthethings.mongo import Database
from allthethings.pipeline.members import Sources
from allthethings.processors.audio import WHISPER_VERSION
from allthethings.sources.fetch import download
from guardedfetch import Fetcher, parse_allow
from tests.faults.apart import NOWHERE, Watched, existing, left
from tests.faults.steps.attempting import Make, ended
from tests.faults.things import recording
from tools.harness.site import Page, Site
from tools.harness.waiting import wait_for

S = AssetStatus
SAID = "The lamplighter walks the harbour at dusk."


@pytest.fixture
def sources(database: Database, replicate: Watched) -> Sources:
    return Sources(database, Fetcher(parse_allow("127.0.0.1")), replicate)


def member(database: Database, sources: Sources, site: Site, end: str = "text") -> Asset:
    """A recording in an archive that was unpacked, yet to be read."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("talks/dusk.mp3", recording(SAID, end).body)
    url = site.add("/talks.zip", Page(made.getvalue(), "application/zip"))
    whole = left(database, "SEARCHABLE", timedelta(0), url=url, url_key=url)
    fetcher = Fetcher(parse_allow("127.0.0.1"))
    sources.unpack(existing(database, whole), download(fetcher, url, 1 << 20))
    address = member_url(url, "talks/dusk.mp3")
    key = member_key(address)
    ago = timedelta(minutes=1)
    return existing(database, left(database, "SUBMITTED", ago, url=address, url_key=key))


def is_there(replicate: Watched, url: str) -> bool:
    """Whether Replicate still has the file."""
    response = replicate._sdk._client.get(url)
    return response.status_code == 200


def test_a_model_gets_a_copy_which_is_removed_when_the_text_is_there(
    database: Database, replicate: Watched, sources: Sources, make: Make, site: Site
) -> None:
    asset = member(database, sources, site)
    _, reconciler = make()
    reconciler.reconcile()
    under_way = existing(database, asset.id)
    assert under_way.copy is not None
    assert is_there(replicate, under_way.copy.url)
    prediction = replicate.get(replicate.created[0])
    assert prediction is not None
    assert prediction.input["audio"] == under_way.copy.url == under_way.url_for_model
    read = ended(database, reconciler, asset.id)
    assert (read.status, read.text) == (S.SEARCHABLE, SAID)
    assert not is_there(replicate, under_way.copy.url)
    assert database.database["member_parts"].count_documents({}) == 0


def test_a_request_whose_record_was_lost_is_found_by_the_copy(
    database: Database, replicate: Watched, sources: Sources, make: Make, site: Site
) -> None:
    asset = member(database, sources, site)
    url = sources.lend(asset)
    lost = replicate.create(WHISPER_VERSION, {"audio": url}, NOWHERE)
    _, reconciler = make()
    assert ended(database, reconciler, asset.id).replicate_process_id == lost.id
    assert lost.id == replicate.created[0]


def test_a_copy_that_expired_before_it_was_read_is_made_again(
    database: Database, replicate: Watched, sources: Sources, make: Make, site: Site
) -> None:
    asset = member(database, sources, site)
    _, reconciler = make()
    replicate.after_create = lambda number: (
        database.assets.collection.update_many(
            {"copy": {"$ne": None}}, {"$set": {"copy.expires_at": asset.created_at}}
        )
        if number == 1
        else None
    )
    replicate.seen = lambda told: (
        replace(told, status="failed", error="no such file", output=None)
        if told.id == replicate.created[0]
        else told
    )
    read = ended(database, reconciler, asset.id)
    assert read.text == SAID
    assert read.replicate_process_id == replicate.created[1]


def test_what_is_no_member_is_lent_by_its_own_url(sources: Sources, database: Database) -> None:
    asset = existing(database, left(database, "SUBMITTED", timedelta(0)))
    assert sources.lend(asset) == asset.url == asset.url_for_model
    sources.forget(asset)


def test_a_member_of_an_archive_that_is_gone_is_not_lent(
    database: Database, sources: Sources, site: Site
) -> None:
    asset = member(database, sources, site)
    database.database["member_parts"].delete_many({})
    site.pages["/talks.zip"] = Page(status=404)
    with pytest.raises(UnusableThing) as caught:
        sources.lend(asset)
    assert caught.value.code is ErrorCode.NOT_FOUND


@pytest.mark.parametrize("end", ["cancel", "delete", "fail"])
def test_a_copy_is_removed_however_it_ends(
    database: Database, replicate: Watched, sources: Sources, make: Make, site: Site, end: str
) -> None:
    asset = member(database, sources, site, "wait")
    pipeline, reconciler = make()
    reconciler.reconcile()
    copy = existing(database, asset.id).copy
    assert copy
    if end == "fail":
        failed = {"id": replicate.created[0], "status": "failed", "error": "told to fail"}
        pipeline.text.record(asset.id, failed)
        assert existing(database, asset.id).failed
    else:
        getattr(pipeline.lifecycle, end)(asset.id)
    wait_for(lambda: not is_there(replicate, copy.url), "the end of the copy")
