"""Many URLs at once, checked and imported over real sockets, and the list they come into."""

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


def check(person: Person, urls: Sequence[str]) -> list[dict[str, Any]]:
    answer = person.http.post("/check", data={"urls": "\n".join(urls)})
    assert answer.status_code == 200, answer.text
    return list(answer.json())


def send(person: Person, urls: Sequence[str]) -> str:
    """The address of the import that a list becomes."""
    answer = person.http.post("/process", data={"urls": "\n".join(urls)})
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == answer.json()["import"]["address"]
    return str(answer.headers["Location"])


def done(person: Person, address: str, state: str = "done") -> list[dict[str, Any]]:
    """The lines of an import, at its end."""

    def told() -> Any:
        return person.http.get(address).json()["import"]

    wait_for(lambda: told()["state"] == state, f"{address} {state}", pause=0.1, moved=told)
    return list(person.http.get(address).json()["lines"])


def imported(person: Person, urls: Sequence[str]) -> list[dict[str, Any]]:
    return done(person, send(person, urls))


def quiet(person: Person) -> None:
    """Wait until nothing is under way."""
    wait_for(lambda: not person.http.get("/").json()["under_way"], "quiet", moved=person.moved)


def outcomes(entries: Sequence[dict[str, Any]]) -> list[str]:
    return [str(entry["outcome"]) for entry in entries]


def mixed(site: Site, name: str) -> list[str]:
    """Two good ones, with what people paste between them."""
    one, two = pages(site, f"{name}-one", f"{name}-two")
    program = site.add(f"/{name}.exe", Served(b"x", "application/x-msdownload"))
    return ["# to read", one, "", "not a URL", program, site.url(f"/{name}-none"), two, f"{one}#x"]


MIXED = ["refused", "refused", "refused"]


def test_a_list_is_indexed_line_by_line(person: Person, site: Site) -> None:
    sent = mixed(site, "list")
    lines = imported(person, sent)
    assert [line["url"] for line in lines] == [line for line in sent if line and line[0] != "#"]
    first, *others, last = outcomes(lines)
    assert others == [*MIXED, "indexed"]
    assert {first, last} == {"indexed", "already indexed"}  # of one page; either may come first
    for line, words in zip(lines[1:4], ["spaces", "application/x-msdownload", "404"], strict=True):
        assert words in line["message"]
        assert line["asset_id"] is None
    for line in (lines[0], lines[4]):
        assert person.finished(line["asset_id"])["status"] == "SEARCHABLE"
    again = imported(person, [lines[0]["url"], lines[4]["url"]])
    assert outcomes(again) == ["already indexed"] * 2
    assert [line["asset_id"] for line in again] == [lines[0]["asset_id"], lines[4]["asset_id"]]


@pytest.mark.slow("fifty pages; forty are indexed after a pause without it")
def test_fifty_at_once(person: Person, site: Site) -> None:
    lines = imported(person, pages(site, *[f"many-{number}" for number in range(50)]))
    assert outcomes(lines) == ["indexed"] * 50
    quiet(person)
    statuses = {person.asset(line["asset_id"])["status"] for line in lines}
    assert statuses == {"SEARCHABLE"}


@pytest.mark.slow("half a minute until the silent server is given up")
def test_a_silent_server_holds_up_nobody_else(person: Person, site: Site) -> None:
    good, dead = pages(site, "beside")[0], "http://127.0.0.1:1/a.mp3"
    address = send(person, [dead, good])

    def good_one() -> bool:
        return bool(person.http.get(address).json()["lines"][1]["outcome"] == "indexed")

    wait_for(good_one, "the good one", pause=0.1)
    dead_one = person.http.get(address).json()["lines"][0]
    assert dead_one["outcome"] == "waiting"
    assert dead_one["error_code"] in (None, "unreachable")
    assert person.http.post(f"{address}/undo").status_code == 202
    done(person, address, "undone")


def test_an_import_is_paused_and_goes_on(person: Person, site: Site) -> None:
    urls = pages(site, *[f"paused-{number}" for number in range(40)])
    address = send(person, urls)
    assert person.http.post(f"{address}/pause").json()["import"]["state"] == "paused"
    assert person.http.post(f"{address}/pause").status_code == 409
    assert person.http.post(f"{address}/resume").json()["import"]["state"] == "running"
    assert outcomes(done(person, address)) == ["indexed"] * 40
    assert person.http.post(f"{address}/resume").status_code == 409


def test_an_undo_deletes_what_the_import_added_and_no_more(person: Person, site: Site) -> None:
    urls = pages(site, "undone-old", *[f"undone-{number}" for number in range(20)])
    old = person.submit(urls[0])
    person.finished(old)
    address = send(person, urls)

    def some() -> bool:
        return bool(person.http.get(address).json()["import"]["counts"]["indexed"])

    wait_for(some, "some indexed", pause=0.05)
    assert person.http.post(f"{address}/undo").status_code == 202
    lines = done(person, address, "undone")
    assert set(outcomes(lines)) <= {"undone", "already indexed"}
    assert {line["asset_id"] for line in lines if line["outcome"] == "undone"} == {None}
    left = [asset["url"] for asset in person.assets() if "/undone-" in asset["url"]]
    assert left == [urls[0]]
    assert person.asset(old)["status"] == "SEARCHABLE"
    assert person.http.post(f"{address}/undo").status_code == 409


def test_a_check_keeps_nothing(person: Person, site: Site, cloud: Cloud) -> None:
    client: MongoClient[dict[str, Any]]
    with MongoClient(cloud.endpoints["MONGODB_CONNECTION_URI"]) as client:
        database: Database[dict[str, Any]] = client["iaat"]

        def kept() -> int:
            names = sorted(database.list_collection_names())
            return sum(database[name].count_documents({}) for name in names)

        quiet(person)
        before = kept()
        sent = mixed(site, "check")
        entries = check(person, sent)
        assert kept() == before
    assert outcomes(entries) == ["can be indexed", *MIXED, "can be indexed"]
    first = entries[0]
    assert (first["kind"], first["title"]) == ("web page", "check-one")
    assert first["content_length"] == len(site.pages["/check-one"].body)
    imported(person, sent)
    checked = check(person, sent)
    assert outcomes(checked) == ["already indexed", *MIXED, "already indexed"]


def test_the_list_in_its_addresses(person: Person, site: Site) -> None:
    imported(person, pages(site, *[f"address-{number}" for number in range(7)]))
    quiet(person)
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
    asset_id = person.submit(pages(site, "brief")[0])
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
    page.get_by_role("button", name="Index these 2").click()
    expect(field).to_have_value("\n".join([lines[3], lines[4], lines[5]]))
    page.get_by_role("link", name="See their progress").click()
    page.wait_for_url("**/imports/*")
    done(person, page.url.removeprefix(cloud.address))
    if not script:
        page.reload()
    expect(page.locator("[data-outcome=indexed]")).to_have_count(2)
    expect(page.locator("[data-state]")).to_have_text("Done")
    urls = [asset["url"] for asset in person.http.get("/?per_page=200").json()["assets"]]
    assert sorted(url for url in urls if f"/pasted-{script}-" in url) == sorted(
        [lines[1], lines[6]]
    )
    page.locator("[data-outcome=indexed] a").first.click()
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
    page.get_by_label("or a file with a list").set_input_files(file)
    page.get_by_role("button", name="Index it").click()
    page.wait_for_url("**/imports/*")
    expect(page.locator("[data-outcome=indexed]")).to_have_count(2)
    expect(page.locator("[data-status=SEARCHABLE]")).to_have_count(2)
    page.get_by_role("link", name="Refused").click()
    expect(page.get_by_text("There are no lines here.")).to_be_visible()
