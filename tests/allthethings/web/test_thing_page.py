"""A thing's page in every state, its transcripts, and its forms."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from lxml import html
from werkzeug.http import parse_options_header
from werkzeug.test import TestResponse

from allthethings.assets.asset import Asset
from allthethings.assets.asset import AssetStatus as S
from allthethings.assets.locators import WHOLE, Heading, TimeSpan
from allthethings.assets.places import Place
from allthethings.assets.transcripts import Line, pack
from allthethings.errors import BadInput, ErrorCode
from allthethings.replicate.predictions import Prediction
from allthethings.store.documents import now
from allthethings.web.assets import INDEX_DELAY
from tests.allthethings.web.in_memory import (
    BEGAN,
    HOSTILE,
    Memory,
    Told,
    make_app,
    make_asset,
    rendered,
    text_of,
)

PATH = f"/assets/{1:024x}"
SAID = [
    Line(0.0, 2.5, "It is <b>late</b>."),
    Line(2.5, 4.0, "A & B --> C."),
    Line(61.5, 70.0, HOSTILE),
]
TEXT = " ".join(line.text for line in SAID)
ROWS: list[dict[str, Any]] = [
    {"position": 0, "text": " ".join(line.text for line in SAID[:2]),
     "locator": TimeSpan(0.0, 4.0), "embedded": True},
    {"position": 1, "text": HOSTILE, "locator": TimeSpan(61.5, 70.0), "embedded": False},
]  # fmt: skip
READ: list[dict[str, Any]] = [
    {"position": 0, "text": "First <i>words</i>.", "locator": Heading(HOSTILE),
     "embedded": True},
    {"position": 1, "text": "More words.", "locator": WHOLE, "embedded": True},
]  # fmt: skip


def recording(status: S = S.SEARCHABLE, **changed: Any) -> Memory:
    thing = make_asset(1, status, text=TEXT, segments=pack(TEXT, SAID), **changed)
    return Memory([thing], ROWS)


def page(status: S = S.SEARCHABLE, **changed: Any) -> Memory:
    given = {"title": "A page", "text": "First <i>words</i>.\n\nMore words.", **changed}
    return Memory([make_asset(1, status, content_type="text/html", **given)], READ)


def client(memory: Memory) -> FlaskClient:
    return make_app(memory).test_client()


# -- how it stands


def test_a_new_thing_that_no_search_finds_yet() -> None:
    soon = "//p[contains(., 'will find it in a moment')]"
    new = replace(make_asset(1, S.SEARCHABLE), updated_at=now())
    assert rendered(Memory([new], READ, in_index=False), PATH).xpath(soon)
    assert not rendered(Memory([new], READ), PATH).xpath(soon)
    old = replace(new, updated_at=new.updated_at - 2 * INDEX_DELAY)
    assert not rendered(Memory([old], READ, in_index=False), PATH).xpath(soon)
    unfinished = replace(new, status=S.PROCESSED)
    assert not rendered(Memory([unfinished], READ, in_index=False), PATH).xpath(soon)


@pytest.mark.parametrize("status", list(S))
@pytest.mark.parametrize("kind", ["audio/mpeg", "text/html"])
@pytest.mark.parametrize("error", [None, HOSTILE])
def test_a_page_for_every_state(status: S, kind: str, error: str | None) -> None:
    thing = make_asset(1, status, content_type=kind, error=error)
    tree = rendered(Memory([thing], READ), PATH)
    under_way = status in (S.SUBMITTED, S.PROCESSING, S.PROCESSED, S.GENERATING_EMBEDDINGS)
    failed = status in (S.PROCESSING_ERROR, S.EMBEDDINGS_ERROR)
    actions = {form.get("action").removeprefix(PATH) for form in tree.xpath("//main//form")}
    looks = {"/schedule", f"/look-again/{thing.id}"}
    assert actions - {"/delete", "#text"} == (
        {"/cancel"} if under_way else {"/retry"} if failed else looks
    )
    assert len(tree.xpath("//progress")) == under_way
    assert tree.xpath("//article/@data-poll") == ([f"{PATH}/state"] if under_way else [])
    assert all(text_of(tree, "//*[@data-doing]")) == under_way or not under_way
    shown = tree.xpath("//*[@data-problem][not(@hidden)]")
    assert len(shown) == (failed or (under_way and error is not None))
    assert not error or not shown or HOSTILE in text_of(shown[0], ".//*[@data-trouble]")[0]
    assert len(tree.xpath("//a[.='More like this']")) == (status is S.SEARCHABLE)
    assert len(tree.xpath("//*[contains(@class, 'timeline')]")) == 1
    assert len(tree.xpath("//ol[@class='steps']")) == (status is not S.SEARCHABLE)
    [fold] = tree.xpath("//details[.//*[@id='history']]")
    assert text_of(fold, "summary") == ["How it got here"]
    assert ("open" in fold.attrib) == (status is not S.SEARCHABLE)


@pytest.mark.parametrize("status", [S.SUBMITTED, S.PROCESSED])
def test_what_waits_for_another_attempt_says_so_and_can_be_retried_or_cancelled(status: S) -> None:
    begins = now() + timedelta(seconds=118)
    attempt = {
        "status": status.value,
        "at": BEGAN,
        "again": True,
        "attempt": 2,
        "error": "The server answered 503.",
        "error_code": "server_unavailable",
        "next_at": begins,
    }
    thing = make_asset(
        1,
        status,
        error="The server answered 503.",
        error_code=ErrorCode.SERVER_UNAVAILABLE,
        retryable=True,
        attempt=2,
        next_attempt_at=begins,
        lease_until=begins,
        history=(attempt,),
    )
    tree = rendered(Memory([thing], READ), PATH)
    actions = {form.get("action").removeprefix(PATH) for form in tree.xpath("//main//form")}
    assert actions == {"/delete", "/cancel", "/retry", "#text"}
    assert text_of(tree, "//*[@data-trouble]") == ["The server answered 503."]
    assert text_of(tree, "//*[@data-advice]") == ["Attempt 2 of 5 in about 2 min."]
    asset = client(Memory([thing])).get(PATH, headers={"Accept": "application/json"}).json["asset"]  # type: ignore[index]
    told = {name: asset[name] for name in ("error_code", "retryable", "attempt", "max_attempts")}
    assert told == {
        "error_code": "server_unavailable",
        "retryable": True,
        "attempt": 2,
        "max_attempts": 5,
    }
    assert asset["next_attempt_at"] == begins.isoformat()
    assert asset["history"][0]["next_at"] == begins.isoformat()


def test_the_share_that_replicate_tells_is_shown() -> None:
    log = "Detected language: English\n 37%|███▋      | 111/300 [00:10<00:17, 11.10s/s]\n"
    told = Told({"p1": Prediction("p1", "processing", logs=log)})
    memory = Memory([make_asset(1, S.PROCESSING, replicate_process_id="p1")], replicate=told)
    browser = client(memory)
    for _ in range(3):
        tree = html.document_fromstring(browser.get(PATH).text)
        assert text_of(tree, "//*[@data-doing]") == ["37% transcribed"]
        assert tree.xpath("//progress/@value") == ["25"]
    asset = browser.get(f"{PATH}/state").json["asset"]  # type: ignore[index]
    assert asset["progress"]["share"] == 0.37
    assert asset["now"]["percent"] == 25
    assert told.asked == ["p1"]


def test_what_is_before_it_is_counted() -> None:
    things = [
        make_asset(number, S.PROCESSING, replicate_process_id=f"p{number}") for number in range(3)
    ]
    told = Told({f"p{number}": Prediction(f"p{number}", "starting") for number in range(3)})
    browser = client(Memory(things, replicate=told))
    waits = [
        browser.get(f"/assets/{number:024x}/state").json["asset"]["now"]["doing"]  # type: ignore[index]
        for number in range(3)
    ]
    assert waits == [
        "Waiting for a model",
        "Waiting for a model. 1 thing is ahead of it.",
        "Waiting for a model. 2 things are ahead of it.",
    ]


def test_what_the_script_asks_for_is_small() -> None:
    answer = client(recording(S.GENERATING_EMBEDDINGS)).get(f"{PATH}/state")
    assert answer.json is not None
    asset = answer.json["asset"]
    assert asset["now"]["doing"] == "1 of 2 passages embedded"
    assert not {"text", "history", "segments"} & set(asset)
    assert len(answer.data) < 1000
    assert client(Memory()).get("/assets/none/state").status_code == 404


def test_what_waits_says_when_it_goes_on() -> None:
    until = BEGAN.replace(year=2999)
    thing = make_asset(1, S.SUBMITTED, error="Replicate is away", lease_until=until)
    tree = rendered(Memory([thing]), PATH)
    assert text_of(tree, "//*[@data-trouble]") == ["Waiting: Replicate is away."]
    assert "It will be tried again automatically in about" in text_of(tree, "//*[@data-advice]")[0]


# -- its words


def test_lines_stand_beside_their_player_with_their_times() -> None:
    tree = rendered(recording(), PATH)
    (beside,) = tree.xpath("//*[@class='beside'][.//audio]")
    lines = beside.xpath(".//li/a[@data-start]")
    assert [line.get("href") for line in lines] == [
        f"https://radio.test/1.mp3#t={start}" for start in ("0.0", "2.5", "61.5")
    ]
    assert [line.get("data-end") for line in lines] == ["2.5", "4.0", "70.0"]
    assert text_of(tree, "//li/a[@data-start]") == [
        f"Listen from {clock} {line.text}"
        for clock, line in zip(("0:00", "0:02", "1:01"), SAID, strict=True)
    ]
    assert [len(tree.get_element_by_id(name)) for name in ("p0", "p1")] == [2, 1]


def test_without_segments_the_passages_are_the_lines() -> None:
    tree = rendered(Memory([make_asset(1, S.SEARCHABLE, text=TEXT)], ROWS), PATH)
    assert tree.xpath("//li/a/@data-start") == ["0.0", "61.5"]
    assert (
        tree.get_element_by_id("p1").text_content().split()[-len(HOSTILE.split()) :]
        == HOSTILE.split()
    )


def test_a_page_shows_its_passages_under_their_headings() -> None:
    tree = rendered(page(), PATH)
    assert text_of(tree, "//ol[@class='passages']/li") == [
        f"{HOSTILE} First <i>words</i>.",
        "More words.",
    ]
    assert not tree.xpath("//audio | //*[@data-start]")


SHORT = "Open from nine to five Adults pay ten crowns."
SHORT_SECTIONS: list[dict[str, Any]] = [
    {"position": 0, "text": SHORT, "locator": Heading("Hours"), "embedded": True,
     "places": (Place(0, Heading("Hours")), Place(23, Heading("Prices")))},
    {"position": 1, "text": "Dogs pay nothing.", "locator": Heading("Prices"), "embedded": True},
]  # fmt: skip


def test_short_sections_of_one_passage_stand_under_their_own_headings() -> None:
    thing = make_asset(1, S.SEARCHABLE, content_type="text/html", text="x")
    tree = rendered(Memory([thing], SHORT_SECTIONS), f"{PATH}?query=adults")
    first, second = tree.xpath("//ol[@class='passages']/li")
    assert text_of(first, "*") == [
        *("Hours", "Open from nine to five"),
        *("Prices", "Adults pay ten crowns."),
    ]
    assert text_of(first, ".//*[@class='sentence']") == ["Adults pay ten crowns."]
    assert text_of(second, "*") == ["Dogs pay nothing."]
    [_, prices] = first.xpath("p")
    assert prices.get("data-place") == "Prices"
    assert prices.get("data-link").endswith("#:~:text=Adults%20pay%20ten%20crowns.")
    told = json.loads(transcript(Memory([thing], SHORT_SECTIONS), "json").data)
    assert [(each["text"], each["heading"]) for each in told["passages"]] == [
        ("Open from nine to five", "Hours"),
        ("Adults pay ten crowns.", "Prices"),
        ("Dogs pay nothing.", "Prices"),
    ]


# -- its transcripts


def transcript(memory: Memory, form: str) -> TestResponse:
    return client(memory).get(f"{PATH}/transcript.{form}")


def name_of(answer: TestResponse) -> str:
    """As a browser saves it: RFC 6266 prefers filename*."""
    kind, options = parse_options_header(answer.headers["Content-Disposition"])
    assert kind == "attachment"
    return options["filename"]


@pytest.mark.parametrize(
    ("form", "kind", "beginning"),
    [
        ("txt", "text/plain; charset=utf-8", "It is <b>late</b>. A & B --> C.\n\n"),
        ("srt", "application/x-subrip; charset=utf-8",
         "1\n00:00:00,000 --> 00:00:02,500\nIt is <b>late</b>.\n\n2\n00:00:02,500"),
        ("vtt", "text/vtt; charset=utf-8",
         "WEBVTT\n\n00:00:00.000 --> 00:00:02.500\nIt is &lt;b&gt;late&lt;/b&gt;.\n\n"),
    ],
)  # fmt: skip
def test_a_transcript_to_keep(form: str, kind: str, beginning: str) -> None:
    answer = transcript(recording(title="Ünder the sea: part 1/2"), form)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == kind
    assert answer.text.startswith(beginning)
    assert name_of(answer) == f"Ünder the sea part 1 2.{form}"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    tree = rendered(recording(), PATH)
    assert f"{PATH}/transcript.{form}" in tree.xpath("//a[@download]/@href")


def test_a_transcript_as_json() -> None:
    answer = transcript(recording(), "json")
    assert answer.headers["Content-Type"] == "application/json"
    told = json.loads(answer.data)
    assert told["text"] == TEXT
    assert told["segments"] == [
        {"start": line.start, "end": line.end, "text": line.text} for line in SAID
    ]
    assert name_of(answer) == "1 transcript.json"


def test_a_page_shows_what_a_thing_tells_of_itself_and_what_its_text_lacks() -> None:
    thing = page(author=HOSTILE, dated="2025-03-09", remark="Page 3 has no text.")
    tree = rendered(thing, PATH)
    authors = "//header//p[@class='facts']/span[@dir='auto']"
    assert text_of(tree, authors)[1:] == [" ".join(HOSTILE.split())]
    assert "dated 2025-03-09" in text_of(tree, "//header//p[@class='facts']/span")
    assert "Page 3 has no text." in text_of(tree, "//*[@data-region='text']/p")
    assert len(text_of(rendered(page(), PATH), authors)) == 1


def test_a_page_has_words_but_no_subtitles() -> None:
    assert transcript(page(), "txt").text == "First <i>words</i>.\n\nMore words.\n"
    told = json.loads(transcript(page(), "json").data)
    assert told["passages"][0] == {"text": "First <i>words</i>.", "heading": HOSTILE}
    for form in ("srt", "vtt"):
        refused = transcript(page(), form)
        assert refused.status_code == 404
        assert "Its text has no times" in refused.text
    tree = rendered(page(), PATH)
    assert [link[-4:] for link in tree.xpath("//a[@download]/@href")] == [".txt", "json"]


@pytest.mark.parametrize("form", ["txt", "srt", "vtt", "json"])
def test_without_a_text_there_is_no_transcript(form: str) -> None:
    refused = transcript(Memory([make_asset(1, S.PROCESSING)]), form)
    assert refused.status_code == 404
    assert "It has no text yet" in refused.text
    assert transcript(Memory(), form).status_code == 404
    assert not rendered(Memory([make_asset(1, S.PROCESSING)]), PATH).xpath("//a[@download]")


@pytest.mark.parametrize("form", ["pdf", "TXT", "<b>", "txt.exe"])
def test_other_forms_there_are_none(form: str) -> None:
    refused = transcript(recording(), form)
    assert refused.status_code == 404
    assert "<b>" not in refused.text


@pytest.mark.parametrize(
    "title", [HOSTILE, "a\r\nSet-Cookie: x=1", '"; filename="x.exe', "..", "蜜"]
)
def test_a_title_breaks_no_header(title: str) -> None:
    answer = transcript(recording(title=title), "vtt")
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert name_of(answer).endswith(".vtt")


# -- its forms


class Pipeline(Memory):
    """Takes what a form asks for; `refuses` it with words."""

    refuses: str | None = None

    def cancel(self, asset_id: str) -> Asset:
        if self.refuses:
            raise BadInput(self.refuses)
        thing = self.get(asset_id)
        assert thing
        return thing


def test_a_thing_is_cancelled_by_a_form_or_a_program() -> None:
    memory = Pipeline([make_asset(1, S.PROCESSING_ERROR, error="Cancelled by you.")])
    browser = client(memory)
    sent = browser.post(f"{PATH}/cancel")
    assert (sent.status_code, sent.location) == (303, PATH)
    assert "Cancelled." in browser.get(PATH).text
    told = browser.post(f"{PATH}/cancel", headers={"Accept": "application/json"})
    assert told.status_code == 202
    assert told.json is not None
    assert told.json["asset"]["error"] == "Cancelled by you."


def test_what_is_not_under_way_is_not_cancelled() -> None:
    memory = Pipeline([make_asset(1, S.SEARCHABLE)])
    memory.refuses = "Only a thing that is under way can be cancelled."
    browser = client(memory)
    assert browser.post(f"{PATH}/cancel").status_code == 303
    assert memory.refuses in browser.get(PATH).text
    told = browser.post(f"{PATH}/cancel", headers={"Accept": "application/json"})
    assert told.status_code == 409
    assert told.json == {"error": memory.refuses}
    assert client(memory).get(f"{PATH}/cancel").status_code == 405


def test_deleting_asks_first_without_script() -> None:
    tree = rendered(recording(), PATH)
    (form,) = tree.xpath("//details/form")
    assert form.get("action") == f"{PATH}/delete"
    assert not tree.xpath("//details/@open")


def test_the_time_that_is_left_is_counted_from_now() -> None:
    lately = make_asset(1, S.SUBMITTED, error="x", lease_until=BEGAN + timedelta(seconds=1))
    answer = client(Memory([lately])).get(f"{PATH}/state")
    assert answer.json is not None
    assert "at any moment" in answer.json["asset"]["now"]["advice"]


# -- what Replicate told


def test_what_replicate_told_is_shown_and_told() -> None:
    told: dict[str, Any] = {
        "replicate_request": {"version": "v1", "input": {"audio": HOSTILE}},
        "replicate_response": {"status": "succeeded", "logs": HOSTILE},
    }
    thing = recording(**told)
    shown = [json.loads(each) for each in text_of(rendered(thing, PATH), "//pre")]
    assert shown == [*told.values()]
    asset = client(thing).get(PATH, headers={"Accept": "application/json"}).get_json()["asset"]
    assert {name: asset[name] for name in told} == told


def test_a_thing_that_no_model_reads_has_nothing_of_replicate() -> None:
    assert not rendered(page(), PATH).xpath("//pre")
    asset = client(page()).get(PATH, headers={"Accept": "application/json"}).get_json()["asset"]
    assert asset["replicate_request"] is None
