"""Any process may die at any moment, without a word; the thing arrives all the same, once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from itertools import count

import httpx
import pytest

from tests.journey.examples import EXAMPLES
from tests.support.copies import CURRENT
from tools.harness.cloud import Cloud, running_cloud
from tools.harness.person import Person
from tools.harness.site import Page, Site
from tools.harness.waiting import wait_for

PARTS = {
    "the app": "-m serve",
    "the gateway": "localcloud.hookdeck",
    "Replicate": "localcloud.replicate",
    "a model": "cog.server.http",
    "MongoDB": "secantus --host",
    "the search proxy": "localcloud.atlas",
    "the worker": "app worker",
}
pytestmark = pytest.mark.slow(
    "kills each part at two stages with the real models: minutes. tests/faults/test_kills.py kills"
    " them with quick models"
)
# Each keeps its model busy for seconds, so that the kill comes while it is under way.
TEXTS = [path.read_text("utf-8") for path in sorted((EXAMPLES / "texts").glob("*.txt"))]
TEA = "".join(f"<p>Part {number}. {text}</p>" for number in range(6) for text in TEXTS)
THINGS = {
    "PROCESSING": Page((EXAMPLES / "tea.mp3").read_bytes(), "audio/mpeg"),
    "GENERATING_EMBEDDINGS": Page(f"<html><body><article>{TEA}</article></body></html>".encode()),
}
fresh = count()


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A copy of this module's own, whose parts die."""
    env = {**CURRENT, "FETCH_ALLOW": "127.0.0.1", "RECONCILE_AFTER": "5"}
    with running_cloud(tmp_path_factory.mktemp("cloud") / "var", env) as cloud:
        yield cloud


def kill(cloud: Cloud, part: str) -> None:
    pids = cloud.pids_of(PARTS[part])
    assert pids, part
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("stage", THINGS)
def test_a_thing_under_way_survives_the_death_of(
    person: Person, cloud: Cloud, site: Site, part: str, stage: str
) -> None:
    known = {asset["id"]: asset["status"] for asset in person.assets()}
    url = site.add(f"/tea-{next(fresh)}", THINGS[stage])
    asset_id = person.submit(url)
    wait_for(lambda: person.asset(asset_id)["status"] == stage, stage)

    kill(cloud, part)

    asset = person.finished(asset_id)
    assert asset["status"] == "SEARCHABLE", asset["error"]
    statuses = [entry["status"] for entry in asset["history"]]
    assert len(statuses) == len(set(statuses))
    assert asset["progress"]["embedded"] == asset["progress"]["total"] > 0
    now = {each["id"]: each["status"] for each in person.assets()}
    assert [each["url"] for each in person.assets()].count(url) == 1
    assert {each: now[each] for each in known} == known
    wait_for(lambda: _well(person), "every part well again")
    assert person.search("a hot drink made from dried leaves")


def _well(person: Person) -> bool:
    try:
        return person.http.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False
