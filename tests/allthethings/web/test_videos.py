"""Subtitles whose video is told: their page, and the results that lead into the video."""

from __future__ import annotations

from typing import Any

import pytest

from allthethings.assets.asset import Asset
from allthethings.assets.asset import AssetStatus as S
from allthethings.assets.locators import TimeSpan
from allthethings.pipeline.videos import video_of
from tests.allthethings.web.in_memory import (
    HOSTILE,
    Memory,
    make_app,
    make_asset,
    make_hit,
    rendered,
    text_of,
)

JSON = {"Accept": "application/json"}
PATH = f"/assets/{1:024x}"
FILM = "https://films.test/swifts.mp4"
SAID = "Swifts sleep on the wing."
MOMENT = TimeSpan(12.5, 15.0)
ROWS = [{"position": 0, "text": SAID, "locator": MOMENT, "embedded": True}]


def subtitles(**told: Any) -> Asset:
    given: dict[str, Any] = {"url": "https://films.test/swifts.srt", "video_url": FILM, **told}
    return make_asset(1, S.SEARCHABLE, content_type="application/x-subrip", text=SAID, **given)


def film(**told: Any) -> Asset:
    return make_asset(2, S.SEARCHABLE, url=FILM, content_type="video/mp4", **told)


class Named(Memory):
    """Names videos as the pipeline does."""

    def name_video(self, asset_id: str, text: str) -> Asset:
        thing = self.get(asset_id)
        assert thing
        self.videos.append(video_of(text, thing.content_type) or "")
        return subtitles(video_url=self.videos[-1] or None)


def test_the_lines_lead_to_the_video() -> None:
    tree = rendered(Memory([subtitles()], ROWS), PATH)
    [told] = tree.xpath("//p[starts-with(., 'Subtitles of')]")
    assert told.xpath("a/@href") == [FILM]
    [line] = tree.xpath("//a[@class='line']")
    assert line.get("href") == f"{FILM}#t=12.5"
    assert text_of(line, "*") == ["Watch from 0:12", SAID]
    assert not tree.xpath("//*[@data-player]"), "the address may be that of a page with a player"


def test_a_video_that_is_indexed_plays_beside_the_lines() -> None:
    tree = rendered(Memory([subtitles(), film(title=HOSTILE)], ROWS), PATH)
    [told] = tree.xpath("//p[starts-with(., 'Subtitles of')]")
    assert told.xpath("a/@href") == [f"/assets/{2:024x}"]
    assert HOSTILE in told.text_content()
    assert tree.xpath("//video[@data-player]/@src") == [FILM]
    assert tree.xpath("//a[@class='line']/@href") == [f"{FILM}#t=12.5"]


def test_a_result_leads_to_the_second_of_the_video() -> None:
    hits = [make_hit(SAID, 0.7, MOMENT)]
    memory = Memory([subtitles()], ROWS, hits)
    [link] = rendered(memory, "/search?query=swifts").xpath("//a[@data-open]")
    assert link.get("href") == f"{FILM}#t=12.5"
    assert text_of(link, ".")[0] == "Watch from 0:12"
    answer = make_app(memory).test_client().get("/search?query=swifts", headers=JSON)
    [result] = (answer.json or {})["results"]
    assert result["passages"][0]["link"] == f"{FILM}#t=12.5"


def test_the_lines_of_a_file_in_an_archive_lead_to_the_video_too() -> None:
    packed = subtitles(url="https://films.test/all.zip#member=swifts.srt")
    memory = Memory([packed], ROWS, [make_hit(SAID, 0.7, MOMENT)])
    assert rendered(memory, PATH).xpath("//a[@class='line']/@href") == [f"{FILM}#t=12.5"]
    found = rendered(memory, "/search?query=swifts").xpath("//a[@data-open]/@href")
    assert found == [f"{FILM}#t=12.5"]
    without = Memory([subtitles(url=packed.url, video_url=None)], ROWS)
    assert not rendered(without, PATH).xpath("//a[@class='line']")


def test_without_a_video_the_lines_lead_nowhere_and_a_result_to_the_file() -> None:
    memory = Memory([subtitles(video_url=None)], ROWS, [make_hit(SAID, 0.7, MOMENT)])
    assert text_of(rendered(memory, PATH), "//p[@class='line']") == [f"0:12 {SAID}"]
    found = rendered(memory, "/search?query=swifts")
    assert "0:12 – 0:15" in text_of(found, "//*[@class='place']")
    [link] = found.xpath("//a[@data-open]")
    assert text_of(link, ".") == ["Open the subtitle file"]


def test_only_subtitles_are_asked_for_their_video() -> None:
    field = "//form[@action=$action]//input[@name='video_url']/@value"
    action = f"{PATH}/video"
    asked = rendered(Memory([subtitles()], ROWS), PATH)
    assert asked.xpath(field, action=action) == [FILM]
    empty = rendered(Memory([subtitles(video_url=None)], ROWS), PATH)
    assert empty.xpath(field, action=action) == [""]
    assert not empty.xpath("//p[starts-with(., 'Subtitles of')]")
    other = rendered(Memory([make_asset(1, S.SEARCHABLE)], ROWS), PATH)
    assert not other.xpath("//input[@name='video_url']")


def test_a_video_is_named_on_the_page_and_by_programs() -> None:
    memory = Named([subtitles(video_url=None)], ROWS)
    client = make_app(memory).test_client()
    for given, words in ((FILM, "lead to the video now"), ("", "No video is named any more")):
        sent = client.post(f"{PATH}/video", data={"video_url": given})
        assert (sent.status_code, sent.location) == (303, PATH)
        assert words in client.get(PATH).text
    told = client.post(f"{PATH}/video", data={"video_url": f" {FILM}#t=3 "}, headers=JSON)
    assert (told.status_code, (told.json or {})["asset"]["video_url"]) == (200, FILM)
    assert memory.videos == [FILM, "", FILM]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("swifts.mp4", "The address of the video is wrong. This is not a URL"),
        ("ftp://films.test/swifts.mp4", "Only http and https"),
        ("https://films.test/my swifts.mp4", "no spaces"),
        (f"https://films.test/{'s' * 2_000}", "longer than"),
    ],
)
def test_a_wrong_address_is_refused_in_words(given: str, words: str) -> None:
    client = make_app(Named([subtitles()], ROWS)).test_client()
    sent = client.post(f"{PATH}/video", data={"video_url": given})
    assert (sent.status_code, sent.location) == (303, PATH)
    assert words in client.get(PATH).text
    told = client.post(f"{PATH}/video", data={"video_url": given}, headers=JSON)
    assert told.status_code == 422
    assert words in (told.json or {})["error"]


def test_other_things_have_no_video() -> None:
    client = make_app(Named([film(), make_asset(1, S.SEARCHABLE)])).test_client()
    told = client.post(f"{PATH}/video", data={"video_url": FILM}, headers=JSON)
    assert told.status_code == 422
    assert told.json == {"error": "This is of the kind audio. Only subtitles have a video."}


def test_the_video_is_named_with_one_file_at_a_time() -> None:
    memory = Memory([subtitles()])
    client = make_app(memory).test_client()
    data = {"url": "https://films.test/new.srt", "video_url": FILM}
    assert client.post("/process", data=data).status_code == 303
    assert memory.videos == [FILM]
    several = {"urls": "https://films.test/1.srt\nhttps://films.test/2.srt", "video_url": FILM}
    refused = client.post("/process", data=several, headers=JSON)
    assert refused.status_code == 422
    assert "one subtitle file at a time" in (refused.json or {})["error"]
