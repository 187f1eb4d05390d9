"""Many URLs at once, checked and indexed over real sockets, and the list they come into."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from pymongo import MongoClient
from pymongo.database import Database

from tests.faults.things import make_thing
from tests.support.browser import needs_browser
from tools.harness.cloud import Cloud
from tools.harness.person import Person
from tools.harness.site import Page as Served
from tools.harness.site import Site
from tools.harness.waiting import wait_for

HTML = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def cloud(quick_copy: Cloud) -> Cloud:
    return quick_copy


def pages(site: Site, *names: str) -> list[str]:
    """The URLs of things of the site by these names."""
    things = [make_thing(name, random.Random(name)) for name in names]
    return [site.add(thing.path, thing.page()) for thing in things]


def send(person: Person, path: str, urls: Sequence[str]) -> list[dict[str, Any]]:
    answer = person.http.post(path, data={"urls": "\n".join(urls)})
    assert answer.status_code == 200, answer.text
    return list(answer.json())


def outcomes(entries: Sequence[dict[str, Any]]) -> list[str]:
    return [str(entry["outcome"]) for entry in entries]


def mixed(site: Site, name: str) -> list[str]:
    """Two good ones, with what people paste between them."""
    one, two = pages(site, f"{name}-one", f"{name}-two")
    archive = site.add(f"/{name}.zip", Served(b"x", "application/zip"))
    return ["# to read", one, "", "not a URL", archive, site.url(f"/{name}-none"), two, f"{one}#x"]


MIXED = ["refused", "refused", "refused"]


def test_a_list_is_indexed_line_by_line(person: Person, site: Site) -> None:
    entries = send(person, "/process", mixed(site, "list"))
    assert outcomes(entries) == ["indexed", *MIXED, "indexed"]
    assert [entry["code"] for entry in entries] == [201, 422, 422, 422, 201]
    assert [entry["times"] for entry in entries] == [2, 1, 1, 1, 1]
    for entry, words in zip(entries[1:4], ["spaces", "application/zip", "404"], strict=True):
        assert words in entry["message"]
    for entry in (entries[0], entries[4]):
        assert person.finished(entry["asset"]["id"])["status"] == "SEARCHABLE"
    again = send(person, "/process", [entries[0]["url"], entries[4]["url"]])
    assert outcomes(again) == ["already indexed"] * 2
    assert [entry["asset"]["id"] for entry in again] == [
        entries[0]["asset"]["id"],
        entries[4]["asset"]["id"],
    ]


def test_fifty_at_once(person: Person, site: Site) -> None:
    entries = send(person, "/process", pages(site, *[f"many-{number}" for number in range(50)]))
    left = [entry["url"] for entry in entries if entry["outcome"] == "not looked at yet"]
    assert set(outcomes(entries)) <= {"indexed", "not looked at yet"}
    assert len(left) < 50
    while left:  # a busy machine does not come to all of them in one request
        rest = send(person, "/process", left)
        assert outcomes(rest) != ["not looked at yet"] * len(rest)
        left = [entry["url"] for entry in rest if entry["outcome"] == "not looked at yet"]

    def under_way() -> bool:
        return bool(person.http.get("/").json()["under_way"])

    wait_for(lambda: not under_way(), "all of them at their ends", pause=0.5, moved=person.moved)


def test_a_silent_server_holds_up_nobody_else(person: Person, site: Site) -> None:
    good, dead = pages(site, "beside")[0], "http://127.0.0.1:1/a.mp3"
    entries = send(person, "/process", [dead, good])
    assert outcomes(entries) == ["refused", "indexed"]


def test_a_check_keeps_nothing(person: Person, site: Site, cloud: Cloud) -> None:
    client: MongoClient[dict[str, Any]]
    with MongoClient(cloud.endpoints["MONGODB_CONNECTION_URI"]) as client:
        database: Database[dict[str, Any]] = client["iaat"]

        def kept() -> int:
            names = sorted(database.list_collection_names())
            return sum(database[name].count_documents({}) for name in names)

        wait_for(lambda: not person.http.get("/").json()["under_way"], "quiet", moved=person.moved)
        before = kept()
        sent = mixed(site, "check")
        entries = send(person, "/check", sent)
        assert kept() == before
    assert outcomes(entries) == ["can be indexed", *MIXED, "can be indexed"]
    first = entries[0]
    assert (first["kind"], first["title"]) == ("web page", "check-one")
    assert first["content_length"] == len(site.pages["/check-one"].body)
    assert outcomes(send(person, "/process", sent)) == ["indexed", *MIXED, "indexed"]
    checked = send(person, "/check", sent)
    assert outcomes(checked) == ["already indexed", *MIXED, "already indexed"]


def test_the_list_in_its_addresses(person: Person, site: Site) -> None:
    send(person, "/process", pages(site, *[f"address-{number}" for number in range(7)]))
    wait_for(lambda: not person.http.get("/").json()["under_way"], "quiet", moved=person.moved)
    seen: list[str] = []
    address: str | None = "/?status=searchable&kind=web+page&sort=oldest&per_page=3"
    while address:
        answer = person.http.get(address).json()
        seen += [asset["id"] for asset in answer["assets"]]
        address = answer["next"]
    everything = person.assets()
    searchable = [asset["id"] for asset in everything if asset["status"] == "SEARCHABLE"]
    assert seen == searchable[::-1]
    assert answer["total"] == answer["counts"]["SEARCHABLE"] == len(seen)
    for bad in ("status=x", "kind=x", "sort=x", "after=x", "before=%00"):
        assert person.http.get(f"/?{bad}").status_code == 400
        assert person.http.get(f"/?{bad}", headers=HTML).status_code == 400


def test_what_is_deleted_leaves_the_counts(person: Person, site: Site) -> None:
    asset_id = send(person, "/process", pages(site, "brief"))[0]["asset"]["id"]
    person.finished(asset_id)
    before = person.http.get("/").json()["total"]
    assert person.http.post(f"/assets/{asset_id}/delete").status_code == 200
    answer = person.http.get("/").json()
    assert (answer["total"], sum(answer["counts"].values())) == (before - 1, before - 1)


def paste(page: Page, text: str) -> None:
    """Into what has the focus, as a person does."""
    page.evaluate("text => navigator.clipboard.writeText(text)", text)
    page.keyboard.press("Control+V")


@needs_browser
@pytest.mark.parametrize("script", [True, False])
def test_several_lines_are_pasted_checked_and_indexed(
    browser: Browser, cloud: Cloud, site: Site, person: Person, script: bool
) -> None:
    lines = mixed(site, f"pasted-{script}")
    context = browser.new_context(java_script_enabled=script)
    page = context.new_page()
    page.goto(cloud.address)
    field = page.get_by_label("URL, or several")
    if script:
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=cloud.address)
        field.focus()
        paste(page, "\n".join(lines))
    else:
        field.fill("\n".join(lines))
    expect(field).to_have_value("\n".join(lines))
    page.get_by_role("button", name="Check").click()
    answers = page.locator("[data-answer]")
    expect(answers).to_have_count(5)
    expect(answers.first).to_contain_text(f"pasted-{script}-one")
    expect(answers.first).to_contain_text("web page")
    expect(page.locator("[data-answer=refused]")).to_have_count(3)
    total = person.http.get("/").json()["total"]
    page.get_by_role("button", name="Index these 2").click()
    expect(page.locator("[data-answer=indexed]")).to_have_count(2)
    refused = [lines[3], lines[4], lines[5]]
    expect(field).to_have_value("\n".join(refused))
    assert person.http.get("/").json()["total"] == total + 2
    page.locator("[data-answer=indexed] a").first.click()
    page.wait_for_url("**/assets/*")
    context.close()


@needs_browser
def test_enter_sends_one_line_and_the_row_comes_to_its_end(
    page: Page, cloud: Cloud, site: Site
) -> None:
    url = pages(site, "by-enter")[0]
    page.goto(cloud.address)
    page.get_by_role("textbox").first.fill(url)
    page.keyboard.press("Enter")
    status = page.locator("[data-asset]").first.locator("[data-status]")
    expect(status).to_have_attribute("data-status", "SEARCHABLE")
    page.get_by_role("link", name="Failed").click()
    page.wait_for_url("**/?status=failed")
    page.locator("select[name=status]").select_option("searchable")
    page.locator("select[name=sort]").select_option("oldest")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**/?status=searchable&kind=&sort=oldest")
    expect(page.locator("[data-status]").first).to_have_attribute("data-status", "SEARCHABLE")


@needs_browser
def test_a_file_of_bookmarks_is_chosen(
    page: Page, cloud: Cloud, site: Site, tmp_path: Path
) -> None:
    urls = pages(site, "marked-one", "marked-two")
    links = "".join(f'<DT><A HREF="{url}">A page</A>\n' for url in urls)
    file = tmp_path / "bookmarks.html"
    file.write_text(f"<!DOCTYPE NETSCAPE-Bookmark-file-1>\n<DL><p>{links}</DL>")
    page.goto(cloud.address)
    page.get_by_label("or a list").set_input_files(file)
    page.get_by_role("button", name="Index it").click()
    expect(page.locator("[data-answer=indexed]")).to_have_count(2)
