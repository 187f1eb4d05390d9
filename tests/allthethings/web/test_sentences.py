"""The route that chooses sentences for passages that are shown."""

from __future__ import annotations

from typing import Any

import pytest
from lxml import html

from allthethings.assets.asset import AssetStatus as S
from allthethings.web.sentences import MOST
from tests.allthethings.web.in_memory import HOSTILE, Memory, make_app, make_asset

JSON = {"Accept": "application/json"}
ONE = f"{1:024x}"
TEXT = "The jar stands by the oven. A starter of flour and water ferments. The cat sleeps."


def world(text: str = TEXT, **changed: Any) -> Memory:
    things = [make_asset(1, S.SEARCHABLE, **changed), make_asset(2, S.PROCESSING)]
    rows = [
        {
            "asset_id": asset_id,
            "position": position,
            "text": text,
            "locator": {"start": 10.0, "end": 20.0},
            "places": [[0, {"start": 10.0, "end": 13.5}], [28, {"start": 13.5, "end": 20.0}]],
        }
        for asset_id in (ONE, f"{2:024x}")
        for position in (0, 1)
    ]
    return Memory(things, rows)


def ask(memory: Memory, passages: str, query: str = "flour", code: int = 200) -> dict[str, Any]:
    client = make_app(memory).test_client()
    asked = {"query": query, "passages": passages}
    answer = client.get("/search/sentences", query_string=asked, headers=JSON)
    assert answer.status_code == code, answer.text
    told: dict[str, Any] = answer.get_json()
    return told


def test_each_passage_is_told_in_the_order_asked_for() -> None:
    told = ask(world(), f"{ONE}:1,{ONE}:0")["passages"]
    assert [(each["asset_id"], each["position"]) for each in told] == [(ONE, 1), (ONE, 0)]
    sentence = told[0]["sentence"]
    assert sentence["text"] == "A starter of flour and water ferments."
    assert (sentence["start"], sentence["end"]) == (28, 66)
    assert sentence["locator"]["start"] == 13.5
    assert told[0]["link"].endswith("#t=13.5")
    assert "excerpt" not in told[0]


def test_what_is_not_searchable_or_not_there_is_left_out() -> None:
    assert ask(world(), f"{2:024x}:0,{ONE}:7,{3:024x}:0")["passages"] == []


@pytest.mark.parametrize(
    "passages",
    ["", "x", ONE, f"{ONE}:", f"{ONE}:-1", f"{ONE}:0,", ",".join([f"{ONE}:0"] * (MOST + 1))],
)
def test_what_names_no_passages_is_refused(passages: str) -> None:
    assert "passages" in ask(world(), passages, code=400)["error"]


def test_a_bad_filter_is_refused() -> None:
    assert "no kind" in ask(world(), f"{ONE}:0", "kind:film", code=400)["error"]


def test_the_page_gets_what_it_shows() -> None:
    client = make_app(world(title=HOSTILE)).test_client()
    asked = {"query": "flour", "passages": f"{ONE}:0"}
    answer = client.get("/search/sentences", query_string=asked, headers={"Accept": "text/html"})
    tree = html.fragment_fromstring(answer.text, create_parent=True)
    [passage] = tree.xpath(f".//*[@data-passage='{ONE}:0']")
    assert passage.xpath(".//*[@class='sentence']")[0].text_content().startswith("A starter")
    assert passage.xpath(".//mark/text()") == ["flour"]
    [link] = passage.xpath(".//a")
    assert (link.get("data-play"), link.get("data-title")) == ("audio", HOSTILE)
    assert not tree.xpath(".//script")
