"""Subtitles whose video is told when they are submitted, or later."""

from __future__ import annotations

import httpx
import pytest

from tools.harness.person import Person
from tools.harness.site import Page, Site

CUES = b"""WEBVTT

00:01.000 --> 00:04.000
The swift sleeps on the wing.

12:30.500 --> 12:33.000
It lands to breed, and for nothing else.
"""
FILM = "https://films.example/swifts.mp4"


def send(person: Person, url: str, video_url: str) -> httpx.Response:
    return person.http.post("/process", data={"url": url, "video_url": video_url})


@pytest.fixture
def url(site: Site, request: pytest.FixtureRequest) -> str:
    """The address of a subtitle file of each test's own."""
    return site.add(f"/{request.node.name}.vtt", Page(CUES, "text/vtt"))


def test_a_result_in_subtitles_leads_into_their_video(person: Person, url: str) -> None:
    sent = send(person, url, f"{FILM}#t=9")
    assert sent.status_code == 201, sent.text
    asset = person.finished(sent.json()["asset"]["id"])
    assert (asset["status"], asset["video_url"]) == ("SEARCHABLE", FILM)
    [result] = person.search('"lands to breed"')
    assert result["passages"][0]["link"] == f"{FILM}#t=750.5"
    person.http.post(f"/look-again/{asset['id']}").raise_for_status()
    assert person.asset(asset["id"])["video_url"] == FILM
    person.http.post(f"/assets/{asset['id']}/delete").raise_for_status()


def test_a_video_is_told_later_changed_and_taken_back(person: Person, url: str) -> None:
    asset_id = person.index(url)["id"]
    assert person.asset(asset_id)["video_url"] is None
    again = send(person, url, FILM)
    assert (again.status_code, again.json()["asset"]["video_url"]) == (200, FILM)
    assert send(person, url, "").json()["asset"]["video_url"] == FILM, "nothing was told"
    for told, kept in (("https://films.example/2.mp4",) * 2, ("", None)):
        named = person.http.post(f"/assets/{asset_id}/video", data={"video_url": told})
        assert named.json()["asset"]["video_url"] == kept
        assert person.asset(asset_id)["video_url"] == kept


def test_a_video_that_makes_no_sense_is_refused_in_words(
    person: Person, site: Site, url: str
) -> None:
    wrong = send(person, url, "swifts.mp4")
    assert (wrong.status_code, wrong.json()["error_code"]) == (422, "bad_input")
    assert wrong.json()["error"].startswith("The address of the video is wrong.")
    text = site.add("/swifts.txt", Page(b"Swifts sleep on the wing. " * 9, "text/plain"))
    for _ in ("new", "known"):
        wrong = send(person, text, FILM)
        assert wrong.status_code == 422
        assert "of the kind text. Only subtitles have a video." in wrong.json()["error"]
        person.index(text)
    assert person.http.post("/process", data={"url": url}).status_code == 201, "it was not taken"
