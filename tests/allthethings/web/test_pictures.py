"""The small pictures of things: where they are shown, and how they are served."""

from __future__ import annotations

from typing import Any

import pytest
from lxml import html

from allthethings.assets.asset import Asset
from allthethings.assets.asset import AssetStatus as S
from allthethings.assets.locators import Lines
from allthethings.search.results import Hit
from tests.allthethings.web.in_memory import HOSTILE, Memory, make_app, make_asset, rendered

PATH = f"/assets/{1:024x}"
TEXT = f"The school sundial {HOSTILE} " + "Set it on level ground. " * 20


def notice(**fields: Any) -> Asset:
    return make_asset(
        1,
        S.SEARCHABLE,
        text=TEXT,
        **{"content_type": "image/png", "picture_size": (480, 320), **fields},
    )


def pictures(tree: html.HtmlElement) -> list[html.HtmlElement]:
    return list(tree.iterfind(".//img[@class='picture']"))


def test_its_page_shows_it_with_the_first_words_instead() -> None:
    (shown,) = pictures(rendered(Memory([notice()]), PATH))
    assert (shown.get("src"), shown.get("width"), shown.get("height")) == (
        f"{PATH}/picture",
        "480",
        "320",
    )
    assert shown.get("alt").startswith(f"The school sundial {HOSTILE}")
    assert len(shown.get("alt")) <= 120


def test_before_its_text_is_there_its_name_stands_instead() -> None:
    thing = make_asset(
        1, S.PROCESSING, content_type="image/png", title="A notice", picture_size=(9, 9)
    )
    (shown,) = pictures(rendered(Memory([thing]), PATH))
    assert shown.get("alt") == "A notice"


def test_the_list_and_the_results_show_it_beside_the_name() -> None:
    thing = notice()
    hit = Hit(thing.id, 0, "Set it on level ground.", Lines(2, 4), 0.9, 0.8)
    for tree in (
        rendered(Memory([thing]), "/"),
        rendered(Memory([thing], hits=[hit]), "/search?query=dial"),
    ):
        (shown,) = pictures(tree)
        assert (shown.get("src"), shown.get("alt")) == (f"{PATH}/picture", "")


def test_a_video_shows_it_in_its_player() -> None:
    tree = rendered(Memory([notice(content_type="video/webm")]), PATH)
    (player,) = tree.xpath("//video")
    assert player.get("poster") == f"{PATH}/picture"
    assert not pictures(tree)


@pytest.mark.parametrize(("content_type", "size"), [("video/webm", None), ("audio/mpeg", (9, 9))])
def test_no_other_player_has_a_poster(content_type: str, size: tuple[int, int] | None) -> None:
    tree = rendered(Memory([notice(content_type=content_type, picture_size=size)]), PATH)
    (player,) = tree.xpath("//*[@data-player]")
    assert player.get("poster") is None


@pytest.mark.parametrize("path", ["/", PATH])
def test_a_thing_without_a_picture_shows_none(path: str) -> None:
    assert not pictures(rendered(Memory([notice(picture_size=None)]), path))


def test_it_is_served_and_kept_by_the_browser() -> None:
    client = make_app(Memory([notice()])).test_client()
    answer = client.get(f"{PATH}/picture")
    assert (answer.status_code, answer.content_type) == (200, "image/webp")
    assert answer.headers["Cache-Control"] == "private, max-age=600"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    again = client.get(f"{PATH}/picture", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_where_there_is_none_there_is_none() -> None:
    client = make_app(Memory([notice(picture_size=None)])).test_client()
    assert client.get(f"{PATH}/picture").status_code == 404
    assert client.get("/assets/nothing/picture").status_code == 404


def test_the_json_names_it() -> None:
    client = make_app(Memory([notice()])).test_client()
    json = {"Accept": "application/json"}
    assert client.get(PATH, headers=json).json["asset"]["picture"] == f"{PATH}/picture"  # type: ignore[index]
    bare = make_app(Memory([notice(picture_size=None)])).test_client()
    assert bare.get(PATH, headers=json).json["asset"]["picture"] is None  # type: ignore[index]
