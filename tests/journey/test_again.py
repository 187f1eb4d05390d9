"""Try a failed thing again, and delete a thing at any stage; with quick models."""

from __future__ import annotations

import pytest

from tests.faults.things import recording
from tools.harness.cloud import Cloud
from tools.harness.person import Person
from tools.harness.site import Page, Site
from tools.harness.waiting import wait_for

SPEECH = recording("The lens of a lighthouse guides ships after dark.")


@pytest.fixture(scope="module")
def cloud(quick_copy: Cloud) -> Cloud:
    return quick_copy


def test_a_failed_thing_is_tried_again_without_submitting_it_again(
    person: Person, site: Site
) -> None:
    url = site.add("/mended.mp3", Page(b"no sound " * 100, "audio/mpeg"))
    failed = person.finished(person.submit(url))
    assert failed["status"] == "PROCESSING_ERROR"

    site.add("/mended.mp3", SPEECH)
    assert person.http.post(f"/assets/{failed['id']}/retry").status_code == 202
    wait_for(lambda: person.asset(failed["id"])["status"] != "PROCESSING_ERROR", "a new start")
    assert person.finished(failed["id"])["status"] == "SEARCHABLE"
    assert person.search("optics that guide ships after dark")


def test_what_has_not_failed_is_not_tried_again(person: Person, site: Site) -> None:
    asset = person.index(site.add("/fine.mp3", SPEECH))
    assert person.http.post(f"/assets/{asset['id']}/retry").status_code == 409
    assert person.asset(asset["id"]) == asset


def test_a_thing_deleted_under_way_stays_away(person: Person, site: Site) -> None:
    url = site.add("/gone.mp3", SPEECH)
    asset_id = person.submit(url)
    assert person.http.post(f"/assets/{asset_id}/delete").status_code == 200
    assert person.http.get(f"/assets/{asset_id}").status_code == 404
    late = {"id": "p1", "status": "succeeded", "output": {"transcription": "x", "segments": []}}
    assert person.call_back(f"audio/{asset_id}", late).status_code == 404
    assert url not in [asset["url"] for asset in person.assets()]


def test_a_deleted_thing_is_not_found_and_its_url_can_come_again(
    person: Person, site: Site
) -> None:
    url = site.add("/twice.mp3", SPEECH)
    first = person.index(url)["id"]
    person.http.post(f"/assets/{first}/delete")
    results = person.search("optics that guide ships after dark")
    assert first not in [result["asset_id"] for result in results]
    assert person.index(url)["id"] != first
