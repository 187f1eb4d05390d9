"""What a thing's page says of looks at it, and how their routes answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from allthethings.assets.asset import Asset, AssetStatus
from allthethings.assets.diffs import Did, Diff, Part
from allthethings.assets.locators import WHOLE
from allthethings.assets.looks import Looks, Outcome, Schedule
from allthethings.assets.members import member_url
from allthethings.errors import BadInput, ErrorCode
from allthethings.store.changes import Change
from allthethings.store.revisions import Revision
from tests.allthethings.web.in_memory import (
    BEGAN,
    HOSTILE,
    KeptLooks,
    Memory,
    make_app,
    make_asset,
    rendered,
    text_of,
)
from tools.harness.person import JSON

LATER = BEGAN + timedelta(days=3)
ROWS = [{"position": 0, "text": "A text.", "locator": WHOLE, "embedded": True}]
PARTS = (Part(Did.KEPT, count=7), Part(Did.REMOVED, HOSTILE), Part(Did.ADDED, "New."))
CHANGE = Change(
    2,
    LATER,
    Diff(
        1, 1, 7, (Part(Did.KEPT, count=7), Part(Did.REMOVED, HOSTILE), Part(Did.ADDED, "New.")), 3
    ),
    former_title=HOSTILE,
)


@dataclass
class Asked(KeptLooks):
    """Looks that find what they are told to."""

    finds: Looks = field(default_factory=Looks)
    refusal: str = ""
    chosen: list[Schedule | None] = field(default_factory=list)

    def ask(self, _asset_id: str) -> Asset:
        if self.refusal:
            raise BadInput(self.refusal)
        return thing(self.finds)

    def choose(self, _asset_id: str, schedule: Schedule | None) -> Asset:
        self.chosen.append(schedule)
        return thing(Looks(), schedule=schedule)


def thing(looks: Looks, **changed: Any) -> Asset:
    given = {"content_type": "text/html", "text": "A text.", **changed}
    return make_asset(1, AssetStatus.SEARCHABLE, looks=looks, **given)


def memory(looks: Looks, kept: KeptLooks | None = None, **changed: Any) -> Memory:
    return Memory([thing(looks, **changed)], ROWS, looks=kept or KeptLooks())


def said(looks: Looks, kept: KeptLooks | None = None) -> str:
    (line,) = text_of(rendered(memory(looks, kept), f"/assets/{1:024x}"), "//*[@class='looks']/p")
    return line


def test_the_page_says_what_was_found() -> None:
    at = "2025-03-04 12:30 UTC"
    assert said(Looks()) == "Read 2025-03-01 12:31 UTC."
    assert said(Looks(LATER, Outcome.UNCHANGED)) == f"Checked {at}: no change."
    moved = Looks(LATER, Outcome.CHANGED, moved_to="https://x.test/new")
    assert said(moved) == f"Checked {at}: changed. It has moved to https://x.test/new."
    gone = Looks().failed(BadInput("Nothing is there.", ErrorCode.NOT_FOUND), LATER)
    assert said(gone.failed(BadInput("Nothing.", ErrorCode.NOT_FOUND), LATER + timedelta(1))) == (
        f"Gone since {at}: Nothing. Its text is kept and can still be found."
    )
    silent = Looks().failed(BadInput("It is silent.", ErrorCode.TOO_SLOW), LATER)
    assert (
        said(silent)
        == f"Could not be read since {at}: It is silent. Its text is kept and can still be found."
    )
    revision = Revision(thing(Looks()), f"{1:024x}", 1)
    assert "is being made" in said(Looks(LATER, Outcome.CHANGED), KeptLooks(being_made=revision))


def test_what_changed_is_shown_by_passage() -> None:
    tree = rendered(
        memory(Looks(LATER, Outcome.CHANGED), KeptLooks(kept=[CHANGE]), revision=2),
        f"/assets/{1:024x}",
    )
    assert text_of(tree, "//a[@href='#changes']") == ["What changed"]
    (summary,) = text_of(tree, "//*[@class='change']/summary")
    assert summary == "2025-03-04 12:30 UTC: 1 passage added, 1 removed, 7 unchanged"
    assert text_of(tree, "//*[@class='diff']/li") == [
        "7 unchanged",
        f"Removed: {HOSTILE}",
        "Added: New.",
        "3 more passages changed, too long to show",
    ]
    assert not tree.xpath("//*[@class='diff']//script")


def test_within_a_passage_the_changed_words_are_marked() -> None:
    parts = (
        Part(Did.REMOVED, f"The lamp burned oil until 1901. {HOSTILE}"),
        Part(Did.ADDED, f"The lamp burned gas until 1901. {HOSTILE}"),
        Part(Did.ADDED, "A new paragraph."),
    )
    change = Change(1, LATER, Diff(2, 1, 0, parts))
    world = memory(Looks(LATER, Outcome.CHANGED), KeptLooks(kept=[change]), revision=1)
    tree = rendered(world, f"/assets/{1:024x}")
    (summary,) = text_of(tree, "//*[@class='change']/summary")
    assert summary.endswith("1 passage changed, 1 added")
    edit, new = tree.xpath("//*[@class='diff']/li")
    assert edit.xpath(".//del/text() | .//ins/text()") == ["oil ", "gas "]
    assert HOSTILE in " ".join(edit.text_content().split())
    assert " ".join(new.text_content().split()) == "Added: A new paragraph."


def test_what_changed_is_told_as_json() -> None:
    world = memory(Looks(LATER, Outcome.CHANGED), KeptLooks(kept=[CHANGE]), revision=2)
    answer = make_app(world).test_client().get(f"/assets/{1:024x}", headers=JSON).json
    assert answer is not None
    (change,) = answer["asset"]["changes"]
    assert change["passages"] == [
        {"what": "kept", "count": 7},
        {"what": "removed", "text": HOSTILE},
        {"what": "added", "text": "New."},
    ]
    assert (change["left_out"], change["former_title"]) == (3, HOSTILE)
    assert answer["asset"]["looks"]["revision"] == 2


@pytest.mark.parametrize(
    ("looks", "words"),
    [
        (Looks(LATER, Outcome.UNCHANGED), "It has not changed."),
        (Looks(LATER, Outcome.CHANGED), "It has changed: 1 passage added, 1 removed."),
        (
            Looks().failed(BadInput("It is silent.", ErrorCode.TOO_SLOW), LATER),
            "It is silent. Its text is kept.",
        ),
    ],
)
def test_a_look_is_answered_in_words(looks: Looks, words: str) -> None:
    client = make_app(memory(Looks(), Asked(finds=looks, kept=[CHANGE]))).test_client()
    answer = client.post(f"/look-again/{1:024x}")
    assert (answer.status_code, answer.location) == (303, f"/assets/{1:024x}")
    assert words in client.get(answer.location).text
    told = client.post(f"/look-again/{1:024x}", headers=JSON)
    assert told.status_code == 202
    assert told.json is not None
    assert told.json["asset"]["looks"]["outcome"] == looks.outcome


def test_a_look_that_cannot_be_is_refused_in_words() -> None:
    client = make_app(memory(Looks(), Asked(refusal="It is being checked now."))).test_client()
    told = client.post(f"/look-again/{1:024x}", headers=JSON)
    assert (told.status_code, told.json) == (409, {"error": "It is being checked now."})
    assert client.post(f"/look-again/{1:024x}").status_code == 303
    assert "It is being checked now." in client.get(f"/assets/{1:024x}").text


def test_a_schedule_is_chosen_by_its_name() -> None:
    looks = Asked()
    client = make_app(memory(Looks(), looks)).test_client()
    path = f"/assets/{1:024x}/schedule"
    for value in ("weekly", "never", "default"):
        assert client.post(path, data={"schedule": value}).status_code == 303
    assert looks.chosen == [Schedule.WEEKLY, Schedule.NEVER, None]
    refused = client.post(path, data={"schedule": HOSTILE}, headers=JSON)
    assert (refused.status_code, len(looks.chosen)) == (400, 3)


def test_the_page_shows_the_schedule_that_counts() -> None:
    world = memory(Looks(), KeptLooks(default=Schedule.MONTHLY), schedule=Schedule.DAILY)
    tree = rendered(world, f"/assets/{1:024x}")
    assert text_of(tree, "//select[@id='schedule']/option[@selected]") == ["every day"]
    assert "default (every month)" in text_of(tree, "//select[@id='schedule']/option")


def test_a_member_of_an_archive_has_no_looks() -> None:
    url = member_url("https://x.test/letters.zip", "first.txt")
    tree = rendered(memory(Looks(), url=url, content_type="text/plain"), f"/assets/{1:024x}")
    assert tree.xpath("//*[@class='looks']") == []
