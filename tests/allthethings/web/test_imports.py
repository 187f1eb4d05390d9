"""The pages of imports."""

from __future__ import annotations

from dataclasses import replace

import pytest
from lxml import html

from allthethings.assets.asset import AssetStatus
from allthethings.assets.imports import Fate, ImportState
from tests.allthethings.web.in_memory import (
    HOSTILE,
    Memory,
    make_app,
    make_asset,
    rendered,
    text_of,
)

JSON = {"Accept": "application/json"}
ADDRESS = f"/imports/{1:024x}"


def world(lines: int = 4, state: ImportState = ImportState.RUNNING) -> Memory:
    """An import with a line of each fate, and more that wait."""
    thing = make_asset(1, AssetStatus.SEARCHABLE, title=HOSTILE)
    memory = Memory([thing])
    made = memory.imports.add({f"{HOSTILE}{number}": 1 for number in range(lines)}, [HOSTILE])
    memory.imports.imports[made.id] = replace(made, state=state)
    first, second, third, *rest = memory.imports.lines[made.id]
    memory.imports.lines[made.id] = [
        replace(first, fate=Fate.INDEXED, asset_id=thing.id),
        replace(second, fate=Fate.REFUSED, message=HOSTILE, error_code="not_found"),
        replace(third, fate=Fate.KNOWN, asset_id=f"{9:024x}"),
        *rest,
    ]
    return memory


def test_each_line_tells_its_fate() -> None:
    tree = rendered(world(), ADDRESS)
    assert tree.xpath("//@data-outcome") == ["indexed", "refused", "already indexed", "waiting"]
    assert text_of(tree, "//*[@data-count]") == ["1", "1", "1", "1"]
    (link,) = tree.xpath("//*[@data-line='1']//a[not(@hidden)]")
    assert (link.get("href"), link.text) == (f"/assets/{1:024x}", HOSTILE)
    assert text_of(tree, "//*[@data-line='2']//*[@data-why]") == [HOSTILE]
    assert [script.get("src") for script in tree.iter("script")] == [
        "/static/app.js",
        "/static/import.js",
    ]
    told = make_app(world()).test_client().get(ADDRESS, headers=JSON).json or {}
    assert told["import"]["counts"] == {
        "waiting": 1,
        "indexed": 1,
        "already indexed": 1,
        "refused": 1,
        "undone": 0,
        "left out": 0,
    }
    assert told["lines"][0]["status"] == "SEARCHABLE"
    assert told["lines"][1]["error_code"] == "not_found"
    assert told["lines"][2]["asset_id"] is None  # deleted since


def test_pages_follow_one_another() -> None:
    client, seen = make_app(world(lines=250)).test_client(), []
    address: str | None = ADDRESS
    pages = []
    while address:
        told = client.get(address, headers=JSON).json or {}
        seen += [line["number"] for line in told["lines"]]
        pages.append(told)
        address = told["next"]
    assert seen == list(range(1, 251))
    back = client.get(pages[2]["previous"], headers=JSON).json or {}
    assert [line["number"] for line in back["lines"]] == list(range(101, 201))
    refused = client.get(f"{ADDRESS}?fate=refused", headers=JSON).json or {}
    assert [line["number"] for line in refused["lines"]] == [2]
    assert refused["next"] is None


@pytest.mark.parametrize(
    ("state", "acts"),
    [
        (ImportState.RUNNING, {"pause", "undo"}),
        (ImportState.PAUSED, {"resume", "undo"}),
        (ImportState.DONE, {"undo"}),
        (ImportState.UNDOING, set()),
        (ImportState.UNDONE, set()),
    ],
)
def test_the_page_offers_what_can_be_done(state: ImportState, acts: set[str]) -> None:
    memory = world(state=state)
    tree = rendered(memory, ADDRESS)
    shown = tree.xpath("//*[@data-act][not(ancestor-or-self::*[@hidden])]/@data-act")
    assert set(shown) == acts
    for act in ("pause", "resume", "undo"):
        answer = make_app(world(state=state)).test_client().post(f"{ADDRESS}/{act}", headers=JSON)
        assert answer.status_code == (202 if act in acts else 409)
        assert act in acts or (answer.json or {})["error"]


def test_the_imports_are_listed() -> None:
    tree = rendered(world(), "/imports")
    assert tree.xpath("//li[@data-import-id]//a/@href") == [ADDRESS]
    assert "Nothing was imported yet" in text_of(rendered(Memory(), "/imports"), "//main")[0]


@pytest.mark.parametrize("path", [f"/imports/{2:024x}", "/imports/none", f"/imports/{HOSTILE}"])
def test_an_import_that_does_not_exist_is_said(path: str) -> None:
    client = make_app(world()).test_client()
    answer = client.get(path, headers=JSON)
    assert answer.status_code == 404
    assert client.post(f"{ADDRESS[:-1]}9/undo", headers=JSON).status_code == 404


@pytest.mark.parametrize("query", ["fate=x", "after=x", "before=-1", f"after={'9' * 30}"])
def test_a_bad_address_is_answered_in_words(query: str) -> None:
    page = html.document_fromstring(make_app(world()).test_client().get(f"{ADDRESS}?{query}").text)
    assert "There is no outcome" in page.text_content() or "number of a line" in page.text_content()
