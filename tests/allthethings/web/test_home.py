"""The home page: many URLs in one form, what is said of each, and the list's filters."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import pytest
from lxml import html

from allthethings.assets.asset import AssetStatus as S
from allthethings.errors import ServiceUnavailable
from allthethings.pipeline.checks import MAX_URLS
from allthethings.pipeline.imports import MAX_LINES
from allthethings.store.asset_list import AssetPage, PageRequest
from tests.allthethings.web.in_memory import (
    HOSTILE,
    Memory,
    hostile_world,
    make_app,
    make_asset,
    rendered,
    text_of,
)

JSON = {"Accept": "application/json"}
BOOKMARKS = b"""<!DOCTYPE NETSCAPE-Bookmark-file-1>
<META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=UTF-8">
<TITLE>Bookmarks</TITLE>
<DL><p><DT><H3>Folder</H3><DL><p>
<DT><A HREF="https://one.test/a?b=1&amp;c=2" ICON="data:image/png;base64,AAAA">One</A>
<DT><A HREF="javascript:alert(1)">A bookmarklet</A>
<DT><A HREF="place:sort=8">Recent</A>
</DL><p><DT><A HREF="HTTPS://two.test/\xc3\xa4">Two</A></DL><p>"""


def world(**changed: Any) -> Memory:
    things = [make_asset(1, S.SEARCHABLE, title="A talk"), make_asset(2, S.SUBMITTED)]
    return Memory(things, refusals={"http://bad.test/": HOSTILE}, **changed)


def post(memory: Memory, path: str, code: int = 200, **fields: Any) -> html.HtmlElement:
    answer = make_app(memory).test_client().post(path, data=fields)
    assert answer.status_code == code, answer.text
    return html.document_fromstring(answer.text)


def checked(memory: Memory, text: str) -> Sequence[dict[str, Any]]:
    answer = make_app(memory).test_client().post("/check", data={"urls": text}, headers=JSON)
    assert answer.status_code == 200, answer.text
    return list(answer.json or [])


MIXED = f"""
# Talks for the weekend
http://new.test/talk.mp3

https://radio.test/1.mp3
http://bad.test/
what is this
HTTP://NEW.test:80/talk.mp3#twice
{HOSTILE}
"""


def test_each_line_is_checked_by_itself() -> None:
    found = checked(world(), MIXED)
    assert [(each["outcome"], each["code"], each["times"]) for each in found] == [
        ("can be indexed", 200, 2),
        ("already indexed", 200, 1),
        ("refused", 422, 1),
        ("refused", 422, 1),
        ("refused", 422, 1),
    ]
    assert found[1]["asset"]["id"] == f"{1:024x}"
    assert found[2]["message"] == HOSTILE
    assert "spaces" in found[3]["message"]


def test_a_list_becomes_an_import() -> None:
    memory = world()
    client = make_app(memory).test_client()
    answer = client.post("/process", data={"urls": MIXED}, headers=JSON)
    assert answer.status_code == 202
    told = (answer.json or {})["import"]
    assert answer.headers["Location"] == told["address"] == f"/imports/{told['id']}"
    assert (told["state"], told["lines"], told["counts"]["waiting"]) == ("running", 6, 6)
    assert memory.submitted == []
    assert client.post("/process", data={"urls": MIXED}).location == f"/imports/{2:024x}"
    lines = (client.get(told["address"], headers=JSON).json or {})["lines"]
    written = [line for line in MIXED.splitlines() if line and not line.startswith("#")]
    assert [line["url"] for line in lines] == written


def test_a_list_is_an_import_however_short_to_a_program() -> None:
    memory = world()
    client = make_app(memory).test_client()
    answer = client.post("/process", data={"urls": "http://new.test/"}, headers=JSON)
    assert answer.status_code == 202
    assert memory.submitted == []


def test_what_is_not_indexed_stays_in_the_field() -> None:
    tree = post(world(), "/check", urls=MIXED)
    field = ["http://new.test/talk.mp3", "http://bad.test/", "what is this", HOSTILE]
    assert tree.get_element_by_id("url").value.splitlines() == field
    assert text_of(tree, "//h2[@id='answers']") == [
        "1 already indexed, 1 can be indexed, 3 refused"
    ]
    assert len(tree.xpath("//*[@data-answer]")) == 5
    assert f"/assets/{1:024x}" in tree.xpath("//*[@data-answer='already indexed']//a/@href")


def test_hostile_lines_are_text() -> None:
    tree = post(world(), "/check", urls=MIXED, keep=HOSTILE)
    assert [script.get("src") for script in tree.iter("script")] == ["/static/app.js"]
    assert HOSTILE in text_of(tree, "//*[@data-answer]//*[contains(@class, 'address')]")
    assert HOSTILE in text_of(tree, "//*[@data-answer]//*[@class='why']")
    for link in tree.xpath("//*[@data-answer]//a/@href"):
        assert link.startswith("/assets/")


def test_a_check_tells_and_keeps_nothing() -> None:
    memory = world()
    found = checked(memory, MIXED)
    assert found[0] == {
        "url": "http://new.test/talk.mp3",
        "outcome": "can be indexed",
        "message": "It can be indexed.",
        "code": 200,
        "times": 2,
        "asset": None,
        "kind": "web page",
        "content_length": 1_200,
        "title": "A talk",
    }
    assert [each["outcome"] for each in found[1:3]] == ["already indexed", "refused"]
    assert memory.submitted == []


def test_one_click_indexes_what_was_checked_and_brings_back_the_rest() -> None:
    memory = world()
    tree = post(memory, "/check", urls=MIXED)
    (form,) = tree.xpath("//section[@class='answers']/form")
    fields = dict(form.form_values())
    assert fields["urls"] == "http://new.test/talk.mp3"
    started = post(memory, form.action, 202, **fields)
    (lines,) = memory.imports.lines.values()
    assert [line.url for line in lines] == ["http://new.test/talk.mp3"]
    assert f"/imports/{1:024x}" in started.xpath("//p[@role='status']/a/@href")
    rest = ["http://bad.test/", "what is this", HOSTILE]
    assert started.get_element_by_id("url").value.splitlines() == rest


def test_one_line_of_the_page_is_answered_as_ever() -> None:
    client = make_app(world()).test_client()
    answer = client.post("/process", data={"urls": "http://new.test/", "file": (io.BytesIO(), "")})
    assert (answer.status_code, answer.location) == (303, "/")
    assert client.post("/process", data={"urls": "no url"}).status_code == 422


@pytest.mark.parametrize("path", ["/process", "/check"])
def test_nothing_at_all_is_answered_in_words(path: str) -> None:
    tree = post(world(), path, 422, urls="\n# only a comment\n")
    assert text_of(tree, "//*[@role='alert']") == ["Enter the URL of a thing to index."]
    answer = make_app(world()).test_client().post(path, data={"urls": ""}, headers=JSON)
    assert (answer.status_code, answer.json) == (
        422,
        {"error": "Enter the URL of a thing to index."},
    )


def test_a_file_becomes_an_import_with_what_is_to_say_of_it() -> None:
    memory = world()
    client = make_app(memory).test_client()
    file = (io.BytesIO(BOOKMARKS), "bookmarks.html")
    address = client.post("/process", data={"file": file}).location
    page = html.document_fromstring(client.get(address).text)
    assert [line.strip() for line in page.xpath("//*[@data-url]/text()")] == [
        "https://one.test/a?b=1&c=2",
        "HTTPS://two.test/ä",
    ]
    assert "2 of the entries are not web addresses" in text_of(page, "//section")[0]


def test_a_file_that_is_no_list_holds_up_nothing() -> None:
    memory = world()
    file = (io.BytesIO(b"\x00\x01\x02" * 50), HOSTILE)
    client = make_app(memory).test_client()
    told = client.post("/process", data={"urls": "http://new.test/", "file": file}, headers=JSON)
    assert told.status_code == 202
    assert "neither text nor" in (told.json or {})["notes"][0]
    (lines,) = memory.imports.lines.values()
    assert [line.url for line in lines] == ["http://new.test/"]


def test_more_than_a_check_looks_at_is_said_and_stays_in_the_field() -> None:
    lines = [f"http://new.test/{number}" for number in range(MAX_URLS + 30)]
    tree = post(world(), "/check", urls="\n".join(lines))
    assert tree.get_element_by_id("url").value.splitlines() == lines
    assert f"{MAX_URLS} can be indexed, 30 not looked at yet" in text_of(
        tree, "//h2[@id='answers']"
    )
    assert len(tree.xpath("//*[@data-answer]")) == MAX_URLS


def test_a_line_without_an_end_is_not_repeated_whole() -> None:
    line = f"http://new.test/{'x' * 2_000_000}"
    tree = post(world(), "/check", urls=f"http://new.test/\n{line}")
    (shown,) = text_of(tree, "//*[@data-answer='refused']//*[contains(@class, 'address')]")
    assert shown == f"{line[:499]}…"
    assert tree.get_element_by_id("url").value.strip() == "http://new.test/"
    assert "do not fit in the field" in "".join(text_of(tree, "//*[@role='alert']"))


def test_a_list_that_is_too_long_is_refused_and_not_lost() -> None:
    memory = world()
    lines = [f"http://new.test/{number}" for number in range(MAX_LINES + 1)]
    client = make_app(memory).test_client()
    answer = client.post("/process", data={"urls": "\n".join(lines)}, headers=JSON)
    assert answer.status_code == 422
    assert "10,001 lines" in (answer.json or {})["error"]
    tree = post(memory, "/process", 422, urls="\n".join(lines))
    assert tree.get_element_by_id("url").value.splitlines() == lines
    assert memory.imports.imports == {}


def test_ten_thousand_long_lines_are_taken() -> None:
    memory = world()
    lines = [f"http://new.test/{number}/{'x' * 280}" for number in range(MAX_LINES)]
    client = make_app(memory).test_client()
    answer = client.post("/process", data={"urls": "\n".join(lines)}, headers=JSON)
    assert answer.status_code == 202, answer.text
    assert [line.url for line in memory.imports.lines[f"{1:024x}"]] == lines


def test_what_was_typed_is_there_when_the_list_is_not() -> None:
    """The database is away: there is no list to be shown."""

    class Away(Memory):
        def page(self, _wanted: PageRequest) -> AssetPage:
            raise ServiceUnavailable("MongoDB", "no answer")

    tree = post(
        Away(refusals={"http://bad.test/": "No."}), "/process", 503, urls="http://bad.test/"
    )
    assert tree.get_element_by_id("url").value == "http://bad.test/"
    assert "MongoDB is not available" in text_of(tree, "//section/*[@role='alert']")[0]
    assert make_app(Away()).test_client().get("/").status_code == 503


def test_an_address_can_fill_the_field() -> None:
    memory = world()
    tree = rendered(memory, f"/?url={HOSTILE}")
    assert tree.get_element_by_id("url").value == HOSTILE
    assert memory.submitted == []


@pytest.mark.parametrize(
    ("address", "ids"),
    [
        ("/?status=under-way", [2]),
        ("/?status=failed", [3]),
        ("/?status=Processing_Error", [3]),
        ("/?status=searchable&kind=audio", [1]),
        ("/?kind=web+page", [3]),
    ],
)
def test_the_list_is_filtered(address: str, ids: Sequence[int]) -> None:
    things = [
        make_asset(1, S.SEARCHABLE),
        make_asset(2, S.PROCESSING),
        make_asset(3, S.PROCESSING_ERROR, content_type="text/html"),
    ]
    tree = rendered(Memory(things), address)
    assert tree.xpath("//@data-asset") == [f"{number:024x}" for number in ids]
    assert len(tree.xpath("//select[@name='status']/option[@selected]")) == ("status" in address)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/?status=" + HOSTILE, "There is no status"),
        ("/?kind=" + HOSTILE, "There is no kind"),
        ("/?sort=size", "newest or oldest"),
        ("/?after=x", "position in the list"),
        ("/?before=-1", "position in the list"),
        ("/?before=99999999999999999999", "position in the list"),
        ("/?after=1-" + "x" * 24, "position in the list"),
        ("/?page=600", "up to 500"),
    ],
)
def test_a_bad_address_is_answered_in_words(address: str, words: str) -> None:
    tree = rendered(hostile_world(), address, 400)
    assert words in text_of(tree, "//*[@role='alert']")[0]
    assert len(tree.xpath("//*[@data-asset]")) == 2
    answer = make_app(hostile_world()).test_client().get(address, headers=JSON)
    assert answer.status_code == 400
    assert words in (answer.json or {})["error"]


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/?status=failed", "Nothing has failed"),
        ("/?status=under-way", "Add an address above"),
        ("/?kind=web+page", "No things have this status and kind"),
    ],
)
def test_an_empty_list_says_what_to_do(address: str, words: str) -> None:
    tree = rendered(Memory([make_asset(1, S.SEARCHABLE)]), address)
    assert words in text_of(tree, "//p[@class='empty']")[0]
    assert tree.xpath("//p[@class='empty']/a/@href") == ["/"]


def test_things_are_watched_by_their_ids() -> None:
    client = make_app(world()).test_client()
    answer = client.get(f"/?watch={2:024x},{HOSTILE},,{9:024x}", headers=JSON)
    assert answer.status_code == 200
    assert [each["id"] for each in (answer.json or {})["assets"]] == [f"{2:024x}"]
    assert (answer.json or {})["under_way"] == 1
