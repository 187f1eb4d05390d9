"""The app and the worker may die at any moment; no line of an import is lost or looked at in
vain."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from pymongo.database import Database

from tests.faults.kills import kill, wait_until_back, wait_until_well
from tests.faults.things import Document, make_thing
from tests.support.sizes import SIZES
from tools.harness.cloud import Cloud
from tools.harness.person import JSON
from tools.harness.site import Site
from tools.harness.waiting import PATIENCE, wait_for

# Kills while an import is sent and looked at.
KILLS = 2 if SIZES.kills < 20 else 20
LINES = 20 * KILLS
# The longest pause before a kill, in seconds.
PAUSE = 3.0


def urls(site: Site) -> list[str]:
    """Pages of the site, and some that are not there."""
    made = [make_thing(f"line-{number}", random.Random(number)) for number in range(LINES)]
    there = [site.add(thing.path, thing.page()) for thing in made]
    return [*there, *[site.url(f"/no-line-{number}") for number in range(KILLS)]]


def sent(cloud: Cloud, lines: Sequence[str]) -> str:
    """The address of the import. Who gets no answer sends the list again."""

    def send() -> str | None:
        answer = httpx.post(
            f"{cloud.address}/process",
            data={"urls": "\n".join(lines)},
            headers=JSON,
            timeout=PATIENCE,
        )
        return answer.headers["Location"] if answer.status_code == 202 else None

    return wait_for(send, "an import", pause=0.5, despite=httpx.TransportError)


def told(cloud: Cloud, address: str) -> dict[str, Any]:
    answer = httpx.get(cloud.address + address, headers=JSON, timeout=PATIENCE)
    return dict(answer.json())


def all_lines(cloud: Cloud, address: str) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    following: str | None = address
    while following:
        page = told(cloud, following)
        lines += page["lines"]
        following = page["next"]
    return lines


@pytest.mark.slow("a minute each; the worker and the app are killed over a thing without it")
@pytest.mark.parametrize("part", ["the worker", "the app"])
def test_no_line_is_lost_over_kills(
    victim_copy: Cloud, kept: Database[Document], site: Site, part: str
) -> None:
    draw, lines = random.Random(part), urls(site)
    address = sent(victim_copy, lines)
    for _ in range(KILLS):
        threading.Event().wait(draw.uniform(0.0, PAUSE))  # a random moment
        killed = kill(victim_copy, part)
        wait_until_back(victim_copy, part, killed)
    wait_until_well(victim_copy)

    def counts() -> Any:
        return told(victim_copy, address)["import"]["counts"]

    def ended() -> bool:
        return bool(told(victim_copy, address)["import"]["state"] == "done")

    wait_for(ended, "the end of the import", pause=0.5, moved=counts, despite=httpx.TransportError)
    found = all_lines(victim_copy, address)
    assert [line["url"] for line in found] == lines
    outcomes = Counter(line["outcome"] for line in found)
    assert outcomes["refused"] == KILLS
    assert outcomes["indexed"] + outcomes["already indexed"] == LINES
    stored = Counter(each["url"] for each in kept["assets"].find({}, {"url": 1}))
    assert all(stored[url] == 1 for url in lines[:LINES])
    if part == "the worker":
        assert outcomes["indexed"] == LINES


def test_who_got_no_answer_finds_a_whole_import_or_none(
    victim_copy: Cloud, kept: Database[Document], site: Site
) -> None:
    """The app dies while a list arrives: an import that people see has all its lines."""
    draw = random.Random(7)
    lines = [site.url(f"/never-{number}") for number in range(4_000)]
    before = {each["_id"] for each in kept["imports"].find()}
    for _ in range(KILLS):
        sender = threading.Thread(target=_send_once, args=(victim_copy, lines))
        sender.start()
        threading.Event().wait(draw.uniform(0.1, PAUSE))  # a random moment
        killed = kill(victim_copy, "the app")
        sender.join()
        wait_until_back(victim_copy, "the app", killed)
    wait_until_well(victim_copy)
    shown = httpx.get(f"{victim_copy.address}/imports", headers=JSON, timeout=PATIENCE).json()
    fresh = [each for each in kept["imports"].find() if each["_id"] not in before]
    for each in fresh:
        stored = kept["import_lines"].count_documents({"import_id": each["_id"]})
        visible = str(each["_id"]) in {one["id"] for one in shown["imports"]}
        assert visible == (each["state"] != "arriving")
        assert stored == each["size"] or not visible
        httpx.post(
            f"{victim_copy.address}/imports/{each['_id']}/undo", headers=JSON, timeout=PATIENCE
        )


def _send_once(cloud: Cloud, lines: Sequence[str]) -> None:
    try:
        httpx.post(f"{cloud.address}/process", data={"urls": "\n".join(lines)}, timeout=PATIENCE)
    except httpx.TransportError:  # the app died
        return
